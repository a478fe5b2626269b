//! Many organizations on one daemon: what one does costs the others nothing, and what is not theirs to say is refused.

mod desk;
mod flood;
mod reconnect;
mod sign_in;
