//! Which addresses are on the internet.
//!
//! Source: IANA's registries of special-purpose addresses, IPv4 and IPv6 (RFC 6890, as of 2025). What
//! carries an address of IPv4 within (mapped, NAT64, 6to4, Teredo) is never on the internet, so that
//! none of these leads inside by another spelling.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network: its first address, and how many bits all of it have in common.
type Net4 = ([u8; 4], u32);
type Net6 = ([u16; 8], u32);

const SPECIAL4: [Net4; 18] = [
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 31, 196, 0], 24),
    ([192, 52, 193, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([192, 175, 48, 0], 24),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// Of IPv6 only this is given out; what else there is has another purpose.
const GIVEN6: Net6 = ([0x2000, 0, 0, 0, 0, 0, 0, 0], 3);
const SPECIAL6: [Net6; 5] = [
    // Protocols, Teredo among them.
    ([0x2001, 0, 0, 0, 0, 0, 0, 0], 23),
    ([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32),
    // 6to4.
    ([0x2002, 0, 0, 0, 0, 0, 0, 0], 16),
    ([0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0], 48),
    ([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20),
];

/// Whether it is on the internet.
pub(super) fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !SPECIAL4.iter().any(|net| is_in4(address, *net)),
        IpAddr::V6(address) => {
            is_in6(address, GIVEN6) && !SPECIAL6.iter().any(|net| is_in6(address, *net))
        }
    }
}

fn is_in4(address: Ipv4Addr, (first, bits): Net4) -> bool {
    let differ = address.to_bits() ^ Ipv4Addr::from(first).to_bits();
    differ.leading_zeros() >= bits
}

fn is_in6(address: Ipv6Addr, (first, bits): Net6) -> bool {
    let differ = address.to_bits() ^ Ipv6Addr::from(first).to_bits();
    differ.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_out_is_on_the_internet_and_nothing_else_is() {
        for outside in
            ["1.1.1.1", "9.9.9.9", "100.128.0.1", "172.32.0.1", "2606:4700::1111", "2a00::1"]
        {
            assert!(is_global(outside.parse().unwrap()), "{outside}");
        }
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.255.255.254",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.170",
            "192.168.1.1",
            "198.19.255.255",
            "224.0.0.1",
            "239.255.255.255",
            "255.255.255.255",
            "::",
            "::1",
            "::ffff:1.1.1.1",
            "::1.1.1.1",
            "64:ff9b::1.1.1.1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:db8::1",
            "2002:101:101::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "ff02::1",
        ] {
            assert!(!is_global(inside.parse().unwrap()), "{inside}");
        }
    }
}
