//! Packet filter rules: what iptables and nftables print, and what those rules do to a packet.
