//! Which peers may speak for somebody else: the list of `--forwarded-allow-ips`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The trusted peers. Parsing never fails: what is neither an address nor a network is a literal,
/// which only the same text in `x-forwarded-for` matches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustList {
    /// `*` alone: everybody, on every kind of socket.
    everyone: bool,
    /// The literal `unix` or `unix:`: whoever comes through a unix socket.
    unix_peers: bool,
    addresses: Vec<IpAddr>,
    networks: Vec<Network>,
    literals: Vec<String>,
}

impl TrustList {
    /// Reads a comma-separated list: addresses, networks, literals. `*` trusts everybody, but
    /// only when it is the whole text.
    ///
    /// A network may have host bits set: `127.0.0.1/8` is `127.0.0.0/8`. An IPv4-mapped IPv6
    /// address or network is the IPv4 one. `unix:` (or `unix`) trusts the peers of unix sockets.
    pub fn parse(text: &str) -> TrustList {
        if text == "*" {
            return TrustList::from_items(["*"]);
        }
        // A blank before `*` must not make a list of one `*`, which would trust everybody.
        let mut list = TrustList::default();
        for item in text.split(',') {
            list.add(item.trim());
        }
        list
    }

    /// The same of a list whose items are apart already; they are taken as they are.
    pub fn from_items<'a>(items: impl IntoIterator<Item = &'a str>) -> TrustList {
        let mut list = TrustList::default();
        let mut count = 0_usize;
        for item in items {
            list.add(item);
            count += 1;
        }
        list.everyone = count == 1 && list.literals.first().is_some_and(|item| item == "*");
        list
    }

    fn add(&mut self, item: &str) {
        let network = if item.contains('/') {
            Network::parse(item)
        } else {
            None
        };
        if let Some(network) = network {
            self.networks.push(network);
        } else if let Ok(address) = item.parse::<IpAddr>() {
            self.addresses.push(address.to_canonical());
        } else {
            self.unix_peers |= item == "unix" || item == "unix:";
            self.literals.push(item.to_owned());
        }
    }

    /// True when everybody is trusted (`*`).
    pub fn trusts_everyone(&self) -> bool {
        self.everyone
    }

    /// True when a peer with this address may forward; `None` is a peer without an address, on a
    /// unix socket.
    pub fn is_trusted(&self, peer: Option<IpAddr>) -> bool {
        match peer {
            _ if self.everyone => true,
            None => self.unix_peers,
            Some(address) => self.has_address(address) || self.has_in_network(address),
        }
    }

    /// True when a peer that is given as text is trusted: an address (with or without a zone), or
    /// a literal of the list.
    pub fn is_trusted_host(&self, host: &str) -> bool {
        if self.everyone {
            return true;
        }
        if host.is_empty() {
            return false;
        }
        if let Ok(address) = host.parse::<IpAddr>() {
            return self.is_trusted(Some(address));
        }
        // With a zone it is another address than without, but in the same networks.
        let zoned = host.split_once('%').and_then(|(address, zone)| {
            let zone_is_good = !zone.is_empty() && !zone.contains('%');
            address.parse::<Ipv6Addr>().ok().filter(|_| zone_is_good)
        });
        zoned.is_some_and(|address| self.has_in_network(address.into()))
            || self.literals.iter().any(|literal| literal == host)
    }

    fn has_address(&self, address: IpAddr) -> bool {
        self.addresses.contains(&address.to_canonical())
    }

    fn has_in_network(&self, address: IpAddr) -> bool {
        let canonical = address.to_canonical();
        self.networks
            .iter()
            .any(|network| network.contains(canonical) || network.contains(address))
    }
}

/// A network: an address and how many of its leading bits count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Network {
    V4 { bits: u32, mask: u32 },
    V6 { bits: u128, mask: u128 },
}

impl Network {
    /// Reads `address/prefix`, for IPv4 also `address/netmask` and `address/hostmask`.
    fn parse(text: &str) -> Option<Network> {
        let (address, length) = text.split_once('/')?;
        match address.parse().ok()? {
            IpAddr::V4(address) => Network::v4(address, v4_prefix_bits(length)?),
            IpAddr::V6(address) => {
                let prefix_bits = prefix_bits(length, 128)?;
                match (address.to_ipv4_mapped(), prefix_bits.checked_sub(96)) {
                    (Some(mapped), Some(v4_bits)) => Network::v4(mapped, v4_bits),
                    _ => Network::v6(address, prefix_bits),
                }
            }
        }
    }

    fn v4(address: Ipv4Addr, prefix_bits: u32) -> Option<Network> {
        let mask = u32::MAX.checked_shl(32 - prefix_bits).unwrap_or(0);
        let bits = address.to_bits() & mask;
        Some(Network::V4 { bits, mask })
    }

    fn v6(address: Ipv6Addr, prefix_bits: u32) -> Option<Network> {
        let mask = u128::MAX.checked_shl(128 - prefix_bits).unwrap_or(0);
        let bits = address.to_bits() & mask;
        Some(Network::V6 { bits, mask })
    }

    fn contains(self, address: IpAddr) -> bool {
        match (self, address) {
            (Network::V4 { bits, mask }, IpAddr::V4(address)) => address.to_bits() & mask == bits,
            (Network::V6 { bits, mask }, IpAddr::V6(address)) => address.to_bits() & mask == bits,
            _ => false,
        }
    }
}

/// A prefix length in decimal digits, at most `max`.
fn prefix_bits(text: &str, max: u32) -> Option<u32> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|bits| digits && *bits <= max)
}

/// What stands behind an IPv4 network's slash: a length, a netmask or a hostmask.
fn v4_prefix_bits(text: &str) -> Option<u32> {
    let Ok(mask) = text.parse::<Ipv4Addr>() else {
        return prefix_bits(text, 32);
    };
    [mask.to_bits(), !mask.to_bits()]
        .into_iter()
        .find(|mask| mask.leading_ones() + mask.trailing_zeros() >= 32)
        .map(u32::leading_ones)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn trusts(list: &str, host: &str) -> bool {
        let list = TrustList::parse(list);
        let as_text = list.is_trusted_host(host);
        if let Ok(address) = host.parse() {
            assert_eq!(list.is_trusted(Some(address)), as_text, "{host}");
        }
        as_text
    }

    #[test]
    fn addresses_match_in_any_spelling() {
        assert!(trusts("127.0.0.1,::1", "127.0.0.1"));
        assert!(trusts("127.0.0.1,::1", "0:0:0:0:0:0:0:1"));
        assert!(trusts(" 127.0.0.1 , ::1 ", "::1"));
        assert!(!trusts("127.0.0.1,::1", "127.0.0.2"));
        assert!(!trusts("127.1", "127.0.0.1"));
        assert!(!trusts("0127.0.0.1", "127.0.0.1"));
    }

    #[test]
    fn networks_match_their_members() {
        assert!(trusts("10.0.0.0/8", "10.255.255.255"));
        assert!(!trusts("10.0.0.0/8", "11.0.0.0"));
        assert!(trusts("10.0.0.1/32", "10.0.0.1"));
        assert!(!trusts("10.0.0.1/32", "10.0.0.2"));
        assert!(trusts("0.0.0.0/0", "255.255.255.255"));
        assert!(!trusts("0.0.0.0/0", "::1"));
        assert!(trusts("2001:db8::/32", "2001:db8:ffff::"));
        assert!(!trusts("2001:db8::/32", "2001:db9::"));
        assert!(trusts("::/0", "fe80::1"));
        assert!(!trusts("::/0", "127.0.0.1"));
        assert!(trusts("::1/128", "::1"));
    }

    #[test]
    fn masks_work_for_ipv4() {
        assert!(trusts("10.0.0.0/255.0.0.0", "10.1.2.3"));
        assert!(trusts("10.0.0.0/0.255.255.255", "10.1.2.3"));
        assert!(trusts("10.0.0.0/08", "10.1.2.3"));
        assert!(trusts("0.0.0.0/0.0.0.0", "10.1.2.3"));
        assert!(!trusts("0.0.0.0/255.255.255.255", "10.1.2.3"));
        assert!(!trusts("10.0.0.0/255.0.0.1", "10.0.0.0"));
    }

    #[test]
    fn host_bits_are_allowed() {
        assert!(trusts("127.0.0.1/8", "127.9.9.9"));
        assert!(trusts("2001:db8::5/32", "2001:db8::6"));
    }

    #[test]
    fn bad_networks_are_literals() {
        for item in [
            "10.0.0.0/33",
            "10.0.0.0/-1",
            "10.0.0.0/+8",
            "10.0.0.0/ 8",
            "10.0.0.0/",
            "10.0.0.0/8/8",
            "0/0",
            "::/129",
            "::/255.0.0.0",
            "/",
            "/8",
        ] {
            assert!(!trusts(item, "10.0.0.0"), "{item}");
            assert!(!trusts(item, "::"), "{item}");
            assert!(trusts(item, item), "{item}");
        }
    }

    #[test]
    fn mapped_addresses_are_ipv4_addresses() {
        assert!(trusts("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(trusts("127.0.0.0/8", "::ffff:127.0.0.1"));
        assert!(trusts("::ffff:127.0.0.1", "127.0.0.1"));
        assert!(trusts("::ffff:10.0.0.0/104", "10.1.1.1"));
        assert!(trusts("::ffff:10.0.0.0/104", "::ffff:10.1.1.1"));
        assert!(trusts("::/0", "::ffff:10.1.1.1"));
        assert!(!trusts("127.0.0.1", "::127.0.0.1"));
    }

    #[test]
    fn a_star_trusts_everybody_only_alone() {
        assert!(trusts("*", "9.9.9.9"));
        assert!(trusts("*", ""));
        assert!(TrustList::parse("*").is_trusted(None));
        assert!(TrustList::from_items(["*"]).is_trusted(None));
        for list in ["*,1.1.1.1", " *", "* ", "*,*", "*,"] {
            assert!(!trusts(list, "9.9.9.9"), "{list:?}");
            assert!(!TrustList::parse(list).is_trusted(None), "{list:?}");
            assert!(trusts(list, "*"), "{list:?}");
        }
    }

    #[test]
    fn nobody_is_trusted_by_an_empty_list() {
        assert!(!trusts("", ""));
        assert!(!trusts("", "127.0.0.1"));
        assert!(!TrustList::parse("").is_trusted(None));
        assert!(!TrustList::from_items([]).is_trusted(None));
    }

    #[test]
    fn unix_peers_need_a_word() {
        assert!(!TrustList::parse("127.0.0.1,::1,0.0.0.0/0").is_trusted(None));
        assert!(TrustList::parse("127.0.0.1, unix:").is_trusted(None));
        assert!(TrustList::parse("unix").is_trusted(None));
        assert!(!TrustList::parse("unix:/run/x").is_trusted(None));
        assert!(trusts("unix:", "unix:"));
        assert!(!trusts("unix:", "127.0.0.1"));
    }

    #[test]
    fn literals_match_exactly() {
        assert!(trusts("testclient", "testclient"));
        assert!(!trusts("testclient", "TestClient"));
    }

    #[test]
    fn zones_make_another_address_in_the_same_network() {
        assert!(trusts("fe80::/10", "fe80::1%eth0"));
        assert!(!trusts("fe80::1", "fe80::1%eth0"));
        assert!(trusts("fe80::1%eth0", "fe80::1%eth0"));
        assert!(!trusts("fe80::/10", "fe80::1%"));
        assert!(!trusts("fe80::/10", "fe80::1%a%b"));
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in any::<String>(), host in any::<String>()) {
            let list = TrustList::parse(&text);
            list.is_trusted_host(&host);
        }

        #[test]
        fn parsing_what_looks_like_networks_never_panics(
            text in "[0-9a-f:.%*]{0,20}/[0-9.]{0,6}(,[0-9a-f:./]{0,12}){0,3}", peer in any::<[u8; 16]>()
        ) {
            let list = TrustList::parse(&text);
            list.is_trusted(Some(Ipv6Addr::from(peer).into()));
        }

        #[test]
        fn a_network_has_exactly_the_addresses_with_its_prefix(
            network in any::<[u8; 16]>(), prefix_bits in 0_u32..=128, peer in any::<[u8; 16]>(),
            shared_bits in 0_u32..=128,
        ) {
            let network = Ipv6Addr::from(network);
            let keep = u128::MAX.checked_shl(128 - shared_bits).unwrap_or(0);
            let peer = network.to_bits() & keep | Ipv6Addr::from(peer).to_bits() & !keep;
            let same_bits = (network.to_bits() ^ peer).leading_zeros();
            let list = TrustList::parse(&format!("{network}/{prefix_bits}"));
            prop_assume!(network.to_ipv4_mapped().is_none());
            prop_assert_eq!(
                list.is_trusted(Some(Ipv6Addr::from_bits(peer).into())),
                same_bits >= prefix_bits
            );
        }

        #[test]
        fn an_ipv4_network_has_exactly_the_addresses_with_its_prefix(
            network in any::<[u8; 4]>(), prefix_bits in 0_u32..=32, peer in any::<[u8; 4]>(),
            shared_bits in 0_u32..=32,
        ) {
            let network = Ipv4Addr::from(network);
            let keep = u32::MAX.checked_shl(32 - shared_bits).unwrap_or(0);
            let peer = network.to_bits() & keep | Ipv4Addr::from(peer).to_bits() & !keep;
            let same_bits = (network.to_bits() ^ peer).leading_zeros();
            let list = TrustList::parse(&format!("{network}/{prefix_bits}"));
            prop_assert_eq!(
                list.is_trusted(Some(Ipv4Addr::from_bits(peer).into())),
                same_bits >= prefix_bits
            );
        }
    }
}
