//! Fault 85, the wall between organizations. Every method of the protocol, every REST route and every frame of the
//! WebSocket that names something is called with an own id, another organization's id and an absent one: the first
//! works, the other two get the same bytes. The lists come from the descriptor, the route table and the daemon's
//! frames, so a door that opens later and is not in a table here fails the test.

mod grpc;
mod rest;
mod side;
mod socket;
