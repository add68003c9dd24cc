//! WebSockets over HTTP/3: two sessions in memory, sessions against bare
//! `quiche`, and the programs against each other and against aioquic.

mod link;
mod peers;
mod programs;
mod raw;
mod sessions;
