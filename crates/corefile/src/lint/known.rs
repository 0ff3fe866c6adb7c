//! Resolvers that anybody may ask, and addresses that were to be theirs.

use std::net::Ipv4Addr;

/// Public resolvers by their operators' own documents: Google, Cloudflare with its filters, Quad9 with its variants, `OpenDNS`, Alibaba,
/// `DNSPod`, 114DNS, Baidu, Yandex, Level 3.
const KNOWN: [[u8; 4]; 33] = [
    [8, 8, 8, 8],
    [8, 8, 4, 4],
    [1, 1, 1, 1],
    [1, 0, 0, 1],
    [1, 1, 1, 2],
    [1, 0, 0, 2],
    [1, 1, 1, 3],
    [1, 0, 0, 3],
    [9, 9, 9, 9],
    [9, 9, 9, 10],
    [9, 9, 9, 11],
    [9, 9, 9, 12],
    [149, 112, 112, 112],
    [149, 112, 112, 10],
    [149, 112, 112, 11],
    [149, 112, 112, 12],
    [208, 67, 222, 222],
    [208, 67, 220, 220],
    [208, 67, 222, 220],
    [208, 67, 220, 222],
    [223, 5, 5, 5],
    [223, 6, 6, 6],
    [119, 29, 29, 29],
    [119, 28, 28, 28],
    [182, 254, 116, 116],
    [114, 114, 114, 114],
    [114, 114, 115, 115],
    [114, 114, 114, 119],
    [180, 76, 76, 76],
    [77, 88, 8, 8],
    [77, 88, 8, 1],
    [4, 2, 2, 1],
    [4, 2, 2, 2],
];

/// The resolver that an address differs from by one digit, or by two neighbouring digits that changed places; `None` for resolvers
/// themselves and for all else.
pub(super) fn meant(address: Ipv4Addr) -> Option<Ipv4Addr> {
    if KNOWN.contains(&address.octets()) {
        return None;
    }
    let written = address.to_string();
    let mut known = KNOWN.into_iter().map(Ipv4Addr::from);
    known.find(|known| is_slip(written.as_bytes(), known.to_string().as_bytes()))
}

fn is_slip(written: &[u8], meant: &[u8]) -> bool {
    if written.len() != meant.len() {
        return false;
    }
    let differing: Vec<usize> = (0..written.len())
        .filter(|at| written[*at] != meant[*at])
        .collect();
    let are_digits = |at: &usize| written[*at].is_ascii_digit() && meant[*at].is_ascii_digit();
    if !differing.iter().all(are_digits) {
        return false;
    }
    match differing[..] {
        [_] => true,
        // With nothing or a dot between them.
        [first, second] => {
            second - first <= 2 && written[first] == meant[second] && written[second] == meant[first]
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_one_digit_is_told_from_another_address() {
        for (written, known) in [
            ("8.8.8.9", Some("8.8.8.8")),
            ("8.8.4.8", Some("8.8.8.8")),
            ("8.4.8.4", Some("8.8.4.4")),
            ("119.29.29.92", Some("119.29.29.29")),
            ("114.114.141.114", Some("114.114.114.114")),
            ("8.8.8.8", None),
            ("1.1.1.2", None),
            ("10.0.0.2", None),
            ("88.8.8.8", None),
        ] {
            let meant = meant(written.parse().unwrap()).map(|address| address.to_string());
            assert_eq!(meant.as_deref(), known, "{written}");
        }
    }
}
