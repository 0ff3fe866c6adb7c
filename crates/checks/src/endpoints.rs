//! Checks of Services by what the API says of them and of what stands behind them. One file each, named as the check.
//!
//! Nothing here was tried. Where a Service has no endpoint, one check names the reason, and its finding accounts for the rest.

mod answer;
mod case;
mod expected;
#[cfg(test)]
pub(crate) mod fixture;
mod lack;
mod lint;
mod listening;
mod local;
#[cfg(test)]
mod properties;
mod scene;
#[cfg(test)]
mod sockets;
mod spread_table;
mod stale;
pub(crate) mod time;
mod words;

pub(crate) mod ep_deps;
pub(crate) mod ep_dual;
pub(crate) mod ep_empty;
pub(crate) mod ep_etp_local;
pub(crate) mod ep_extname;
pub(crate) mod ep_headless;
pub(crate) mod ep_itp_local;
pub(crate) mod ep_lb;
pub(crate) mod ep_lb_cloud;
pub(crate) mod ep_lb_pending;
pub(crate) mod ep_lb_src;
pub(crate) mod ep_listen_local;
pub(crate) mod ep_mirror;
pub(crate) mod ep_naming;
pub(crate) mod ep_noprobe;
pub(crate) mod ep_notfound;
pub(crate) mod ep_np_clash;
pub(crate) mod ep_np_range;
pub(crate) mod ep_pipeline;
pub(crate) mod ep_pnra;
pub(crate) mod ep_port;
pub(crate) mod ep_port_proto;
pub(crate) mod ep_proxyname;
pub(crate) mod ep_ready;
pub(crate) mod ep_sel;
pub(crate) mod ep_sel_near;
pub(crate) mod ep_sel_wide;
pub(crate) mod ep_slice_foreign;
pub(crate) mod ep_slice_portname;
pub(crate) mod ep_slice_stale;
pub(crate) mod ep_spec;
pub(crate) mod ep_spread;
pub(crate) mod ep_topo;
pub(crate) mod ep_tport_name;
pub(crate) mod ep_tport_num;

pub(crate) use answer::answer;
pub(crate) use scene::Scene;
pub(crate) use spread_table::tables as spread_tables;
pub use stale::wanted_second_look;
pub(crate) use words::show_slices;
