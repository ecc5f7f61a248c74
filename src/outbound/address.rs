//! Which machines a notice may reach. A name is looked up once, every address that it has is judged, and what was
//! judged is what is connected to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use url::Url;

/// A cloud's own services, which give credentials to whoever asks from inside.
const METADATA: [IpAddr; 6] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// The addresses of the host, each of which may be reached.
///
/// # Errors
/// There are none, or one of them may not: in a few words, without the path.
pub(super) async fn reachable(url: &Url, allow_private: bool) -> Result<Vec<SocketAddr>, String> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let found: Vec<SocketAddr> = match bare.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((bare, port))
            .await
            .map_err(|error| format!("{host} cannot be looked up: {error}"))?
            .collect(),
    };
    if found.is_empty() {
        return Err(format!("{host} has no address"));
    }
    judged(host, url.scheme() == "http", found, allow_private)
}

/// The same of addresses that were found. One that may not be reached speaks against all of them: whoever can put
/// it there can choose which is used. Plain http stays on this machine.
fn judged(
    host: &str,
    is_plain: bool,
    found: Vec<SocketAddr>,
    allow_private: bool,
) -> Result<Vec<SocketAddr>, String> {
    for address in &found {
        if let Some(why) = refused(address.ip(), allow_private) {
            return Err(format!("{host} is {}, {why}", address.ip()));
        }
        if is_plain && !meant(address.ip()).is_loopback() {
            return Err(format!("{host} is not this machine, where alone plain http is spoken"));
        }
    }
    Ok(found)
}

/// Why an address is not reached, where it is not.
fn refused(ip: IpAddr, allow_private: bool) -> Option<&'static str> {
    const PRIVATE: &str = "an address within a network: allow_private would allow it";
    let ip = meant(ip);
    if METADATA.contains(&ip) {
        return Some("where a cloud keeps credentials: nothing is sent there");
    }
    let (never, private) = match ip {
        IpAddr::V4(ip) => of_four(ip),
        IpAddr::V6(ip) => of_six(ip),
    };
    match (never, private, allow_private) {
        (true, _, _) => Some("which is no machine's own: nothing is sent there"),
        (false, true, false) => Some(PRIVATE),
        _ => None,
    }
}

/// The IPv4 address that an IPv6 one stands for, however it is written, or itself.
fn meant(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(six) = ip else { return ip };
    let four = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high, low].map(u16::to_be_bytes);
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match six.segments() {
        // Mapped, compatible, translated; all but `::` and `::1`.
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => four(high, low),
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => ip,
        [0, 0, 0, 0, 0, 0, high, low] => four(high, low),
        // NAT64's well-known prefix, and 6to4.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => four(high, low),
        [0x2002, high, low, ..] => four(high, low),
        _ => ip,
    }
}

/// Whether it is never reached, and whether it is within a network.
fn of_four(ip: Ipv4Addr) -> (bool, bool) {
    let [a, b, c, _] = ip.octets();
    let never = a == 0 || a >= 224 || ip.is_link_local() || (a, b, c) == (192, 0, 0);
    let shared = a == 100 && (64..128).contains(&b);
    let tests = a == 198 && (18..20).contains(&b) || ip.is_documentation();
    (never, ip.is_loopback() || ip.is_private() || shared || tests)
}

fn of_six(ip: Ipv6Addr) -> (bool, bool) {
    let [a, b, c, ..] = ip.segments();
    let is_site = a & 0xffc0 == 0xfec0;
    // Local NAT64 and Teredo hold another address in ways that differ.
    let holds_another = (a, b, c) == (0x64, 0xff9b, 1) || (a, b) == (0x2001, 0);
    let never = ip.is_unspecified()
        || ip.is_multicast()
        || ip.is_unicast_link_local()
        || is_site
        || holds_another;
    let documents = (a, b) == (0x2001, 0xdb8);
    (never, ip.is_loopback() || ip.is_unique_local() || documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an address is: never reached, only where that is allowed, or always.
    fn kind(text: &str) -> &'static str {
        let ip = text.parse().unwrap_or_else(|_| panic!("{text}"));
        match (refused(ip, false), refused(ip, true)) {
            (Some(_), Some(_)) => "never",
            (Some(_), None) => "private",
            (None, None) => "reached",
            (None, Some(_)) => panic!("{text} is reached unless more is allowed"),
        }
    }

    #[test]
    fn no_address_of_a_cloud_or_of_nobody_is_reached_however_it_is_written() {
        for (text, expected) in [
            ("0.0.0.0", "never"),
            ("0.1.2.3", "never"),
            ("169.254.169.254", "never"),
            ("169.254.1.1", "never"),
            ("100.100.100.200", "never"),
            ("168.63.129.16", "never"),
            ("192.0.0.192", "never"),
            ("224.0.0.1", "never"),
            ("239.1.1.1", "never"),
            ("240.0.0.1", "never"),
            ("255.255.255.255", "never"),
            ("::", "never"),
            ("fe80::1", "never"),
            ("fec0::1", "never"),
            ("ff02::1", "never"),
            ("fd00:ec2::254", "never"),
            ("fd20:ce::254", "never"),
            ("::ffff:169.254.169.254", "never"),
            ("::ffff:0:169.254.169.254", "never"),
            ("::169.254.169.254", "never"),
            ("64:ff9b::169.254.169.254", "never"),
            ("64:ff9b::a9fe:a9fe", "never"),
            ("64:ff9b:1::1", "never"),
            ("2002:a9fe:a9fe::1", "never"),
            ("2001:0:1:2::3", "never"),
            ("::ffff:0.0.0.0", "never"),
            ("127.0.0.1", "private"),
            ("127.9.9.9", "private"),
            ("10.0.0.1", "private"),
            ("172.16.0.1", "private"),
            ("172.31.255.255", "private"),
            ("192.168.1.1", "private"),
            ("100.64.0.1", "private"),
            ("198.18.0.1", "private"),
            ("203.0.113.9", "private"),
            ("::1", "private"),
            ("::ffff:127.0.0.1", "private"),
            ("64:ff9b::10.0.0.1", "private"),
            ("2002:7f00:1::", "private"),
            ("fc00::1", "private"),
            ("fd12::1", "private"),
            ("2001:db8::1", "private"),
            ("1.1.1.1", "reached"),
            ("172.32.0.1", "reached"),
            ("100.128.0.1", "reached"),
            ("::ffff:1.1.1.1", "reached"),
            ("64:ff9b::1.1.1.1", "reached"),
            ("2606:4700:4700::1111", "reached"),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn one_address_that_may_not_be_reached_speaks_against_all() {
        let at = |text: &str| SocketAddr::new(text.parse().unwrap(), 443);
        let (good, bad) = (at("1.1.1.1"), at("127.0.0.1"));
        assert_eq!(judged("h", false, vec![good], false), Ok(vec![good]));
        for found in [vec![good, bad], vec![bad, good]] {
            let why = judged("h", false, found, false).unwrap_err();
            assert!(why.contains("127.0.0.1") && why.contains("allow_private"), "{why}");
        }
        let plain = judged("h", true, vec![good], true).unwrap_err();
        assert!(plain.contains("plain http"), "{plain}");
        assert_eq!(judged("h", true, vec![bad], true), Ok(vec![bad]));
    }

    #[tokio::test]
    async fn a_name_counts_for_what_it_resolves_to() {
        let url = |text: &str| Url::parse(text).unwrap();
        for text in ["https://localhost/hook", "https://0x7f.1/", "https://[::ffff:127.0.0.1]/"] {
            let why = reachable(&url(text), false).await.unwrap_err();
            assert!(why.contains("allow_private"), "{text}: {why}");
        }
        let found = reachable(&url("http://localhost:81/hook"), true).await.unwrap();
        assert!(found.iter().all(|at| at.port() == 81 && at.ip().is_loopback()), "{found:?}");
    }
}
