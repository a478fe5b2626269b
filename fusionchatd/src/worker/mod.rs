//! Floor 3: those who act by themselves. Each reads the journal or the timers and acts back through the service
//! as an actor, like any client; only workers may call the network. They never see a door or the store.

pub mod assistant;
pub mod memory;
pub mod provider;
pub mod sweep;

mod answer;
mod budget;
mod settle;
