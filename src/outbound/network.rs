//! What of the environment the HTTP client obeys by itself: proxies, and whose certificates count.
//!
//! The client passes over a proxy that it cannot read, and the connection goes directly; and it takes
//! no certificate at all where its authorities are not where a variable says. Both are named here, and
//! nothing is sent. No message repeats a value: that of a proxy may hold a password.

use std::path::{Path, PathBuf};

use hyper::Uri;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::input;

/// The proxies, each as either name has it; the client takes the first that is set.
const PROXIES: [[&str; 2]; 3] =
    [["HTTPS_PROXY", "https_proxy"], ["HTTP_PROXY", "http_proxy"], ["ALL_PROXY", "all_proxy"]];
const EXCEPT: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Where this is set the client takes the process for a CGI script, and no proxy at all.
const CGI: &str = "REQUEST_METHOD";
const FILE: &str = "SSL_CERT_FILE";
const FOLDERS: &str = "SSL_CERT_DIR";
const USUAL: &str = "unset it for the system's own authorities";

/// A variable as it stands, line ends and all: the client reads it so.
#[expect(clippy::disallowed_methods, reason = "configuration is where the environment is read")]
fn raw(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Whether what the client obeys can be obeyed.
///
/// # Errors
/// It cannot, in words that name the variable.
pub fn network() -> Result<(), String> {
    proxies(&raw).and_then(|()| authorities(&raw))
}

/// The proxy through which an https host is reached, where the environment names one.
pub(super) fn proxy_for_https() -> Option<String> {
    let [of_https, _, of_all] = PROXIES;
    let named = of_https.into_iter().chain(of_all).find_map(raw);
    named.filter(|value| !value.is_empty())
}

fn proxies(env: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    let mut any = false;
    for names in PROXIES {
        let set = |name: &str| env(name).is_some_and(|value| !value.is_empty());
        let [first, second] = names;
        if env(first).is_some() && !set(first) && set(second) {
            return Err(format!("{first} is empty and hides {second}: unset one of them"));
        }
        let named = names.into_iter().find_map(|name| Some((name, env(name)?)));
        if let Some((name, value)) = named.filter(|(_, value)| !value.is_empty()) {
            any = true;
            proxy(&value).map_err(|trouble| format!("{name} {trouble}"))?;
        }
    }
    if any && env(CGI).is_some() {
        return Err(format!(
            "{CGI} is set, as for a CGI script, for which no proxy is used: unset it"
        ));
    }
    match EXCEPT.into_iter().find_map(|name| Some((name, env(name)?))) {
        Some((name, value)) if any => {
            exceptions(&value).map_err(|trouble| format!("{name} {trouble}"))
        }
        _ => Ok(()),
    }
}

/// Whether this is a proxy that the client speaks to.
fn proxy(value: &str) -> Result<(), &'static str> {
    const FORM: &str = "is no proxy's URL, such as http://proxy.example.com:3128";
    if let Some(trouble) = input::unfit(value) {
        return Err(trouble);
    }
    if input::is_quoted(value.trim()) {
        return Err("is in quotes: take them off, some tools keep those of an env file");
    }
    if value.trim() != value {
        return Err("begins or ends with a blank or a line end: take it away");
    }
    let uri: Uri = value.parse().map_err(|_| FORM)?;
    match uri.scheme_str() {
        None | Some("http" | "https") => {}
        Some("socks4" | "socks4a" | "socks5" | "socks5h") => {
            return Err("is a SOCKS proxy, which is not spoken here: name one that speaks HTTP");
        }
        Some(_) => return Err(FORM),
    }
    let authority = uri.authority().ok_or(FORM)?;
    let is_host = !authority.host().is_empty() && !authority.as_str().contains(['"', '\'']);
    let port = authority.as_str().rsplit(':').next().filter(|_| authority.port().is_none());
    // A colon with no number behind it; within brackets it is part of an address.
    let is_port = port.is_none_or(|rest| rest.ends_with(']') || rest == authority.as_str());
    if is_host && is_port { Ok(()) } else { Err(FORM) }
}

/// Whether each of these can be a host that is reached without a proxy.
fn exceptions(value: &str) -> Result<(), &'static str> {
    if let Some(trouble) = input::unfit(value) {
        return Err(trouble);
    }
    if value.contains(['"', '\'', '“', '”']) {
        return Err("holds quotes, so that the hosts in it are not known: take them off");
    }
    let hosts = value.split(',').map(str::trim);
    for host in hosts {
        if host.contains(char::is_whitespace) {
            return Err("holds a blank between hosts: commas separate them");
        }
        if host.contains("://") {
            return Err("holds a URL: it lists hosts, separated by commas");
        }
    }
    Ok(())
}

/// Whether there are the certificates that these variables say there are. Other systems than these
/// have authorities of their own.
fn authorities(env: &dyn Fn(&str) -> Option<String>) -> Result<(), String> {
    if cfg!(any(windows, target_vendor = "apple")) {
        return Ok(());
    }
    let wrong = |name: &str, value: &str| {
        if value.trim().is_empty() {
            Some("is set and empty")
        } else if input::is_quoted(value.trim()) {
            Some("is in quotes: take them off, some tools keep those of an env file")
        } else {
            input::unfit(value)
        }
        .map(|trouble| format!("{name} {trouble}; {USUAL}"))
    };
    let folders = env(FOLDERS);
    if let Some(value) = env(FILE) {
        wrong(FILE, &value).map_or(Ok(()), Err)?;
        bundle(Path::new(&value))
            .map_err(|trouble| format!("{FILE}: {value}: {trouble}; {USUAL}"))?;
    }
    let Some(value) = folders.filter(|value| !value.is_empty()) else { return Ok(()) };
    wrong(FOLDERS, &value).map_or(Ok(()), Err)?;
    for folder in std::env::split_paths(&value).filter(|path| *path != PathBuf::new()) {
        std::fs::read_dir(&folder)
            .map_err(|error| format!("{FOLDERS}: {}: {error}; {USUAL}", folder.display()))?;
    }
    Ok(())
}

/// Whether a file holds certificates, all of which can be read.
fn bundle(path: &Path) -> Result<(), String> {
    if path.is_dir() {
        return Err(format!("it is a folder, which {FOLDERS} takes"));
    }
    let bytes = input::read(path).map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&bytes);
    let begun =
        text.matches("BEGIN CERTIFICATE-").count() + text.matches("BEGIN TRUSTED CERT").count();
    let read = CertificateDer::pem_slice_iter(&bytes).filter(Result::is_ok).count();
    match (begun, read) {
        (_, 1..) if begun <= read => Ok(()),
        (0, _) => Err("it holds no certificate in PEM form".to_owned()),
        _ => Err("it holds a certificate that cannot be read".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(set: &[(&str, &str)]) -> Result<(), String> {
        proxies(&|name| {
            let found = set.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_proxy_is_one_that_the_client_uses_or_is_named() {
        for value in [
            "http://proxy.example.com:3128",
            "https://proxy.example.com",
            "http://user:p%40ss@proxy.example.com:3128/",
            "proxy.example.com:3128",
            "proxy",
            "10.0.0.1:3128",
            "http://[::1]:3128",
            "http://[::1]",
            "",
        ] {
            for [upper, lower] in PROXIES {
                assert_eq!(told(&[(upper, value)]), Ok(()), "{value:?}");
                assert_eq!(told(&[(lower, value)]), Ok(()), "{value:?}");
            }
        }
        for (value, part) in [
            ("\"http://proxy.example.com:3128\"", "quotes"),
            ("'http://proxy.example.com:3128'", "quotes"),
            ("'proxy:3128'", "quotes"),
            ("http://proxy.example.com:3128 ", "blank"),
            (" http://proxy.example.com:3128", "blank"),
            ("http://proxy.example.com:3128\n", "line end"),
            ("http://proxy example.com", "no proxy's URL"),
            ("http//proxy.example.com:3128", "no proxy's URL"),
            ("http:/proxy.example.com", "no proxy's URL"),
            ("http:proxy.example.com:3128", "no proxy's URL"),
            ("//proxy.example.com:3128", "no proxy's URL"),
            ("ftp://proxy.example.com", "no proxy's URL"),
            ("http://", "no proxy's URL"),
            ("http://proxy.example.com:", "no proxy's URL"),
            ("http://proxy.example.com:port", "no proxy's URL"),
            ("none", ""),
            ("socks5://proxy.example.com:1080", "SOCKS"),
            ("${user_config.proxy}", "placeholder"),
            ("<your proxy>", "placeholder"),
        ] {
            for name in PROXIES.concat() {
                let told = told(&[(name, value)]);
                if part.is_empty() {
                    assert_eq!(told, Ok(()), "a host of that name");
                    continue;
                }
                let told = told.unwrap_err();
                assert!(told.starts_with(name) && told.contains(part), "{value:?}: {told}");
                assert!(!told.contains("3128 ") || !value.contains("user"), "{told}");
            }
        }
    }

    #[test]
    fn what_would_hide_a_proxy_is_named() {
        let good = "http://proxy.example.com:3128";
        for (set, part) in [
            (vec![("HTTPS_PROXY", ""), ("https_proxy", good)], "HTTPS_PROXY is empty and hides"),
            (vec![("HTTPS_PROXY", good), ("REQUEST_METHOD", "GET")], "REQUEST_METHOD"),
            (
                vec![("HTTPS_PROXY", good), ("NO_PROXY", "\"a.example.com\"")],
                "NO_PROXY holds quotes",
            ),
            (vec![("https_proxy", good), ("no_proxy", "'a'")], "no_proxy holds quotes"),
            (vec![("ALL_PROXY", good), ("NO_PROXY", "a.example b.example")], "commas"),
            (vec![("ALL_PROXY", good), ("NO_PROXY", "https://a.example")], "NO_PROXY holds a URL"),
            (vec![("ALL_PROXY", good), ("NO_PROXY", "${no}")], "placeholder"),
        ] {
            let told = told(&set).unwrap_err();
            assert!(told.contains(part), "{set:?}: {told}");
        }
        for set in [
            vec![],
            vec![("NO_PROXY", "\"a\"")],
            vec![("REQUEST_METHOD", "GET")],
            vec![("HTTPS_PROXY", good), ("https_proxy", "'other'")],
            vec![("HTTPS_PROXY", good), ("NO_PROXY", "localhost, .example.com ,10.0.0.0/8,*\n")],
            vec![("HTTPS_PROXY", good), ("NO_PROXY", "")],
        ] {
            assert_eq!(told(&set), Ok(()), "{set:?}");
        }
    }

    #[cfg(all(unix, not(target_vendor = "apple")))]
    #[test]
    fn certificates_that_are_not_there_are_named() {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let dir = tempfile::tempdir().unwrap();
        let pem = {
            use base64::prelude::{BASE64_STANDARD, Engine as _};
            let body = BASE64_STANDARD.encode(own.cert.der());
            format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
        };
        let at = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let told = |file: Option<&str>, folders: Option<&str>| {
            authorities(&|name| match name {
                FILE => file.map(str::to_owned),
                FOLDERS => folders.map(str::to_owned),
                _ => None,
            })
        };
        let folder = dir.path().to_str().unwrap();
        let good = at("good.pem", &format!("# an authority\n{pem}{pem}"));
        for (file, folders) in [
            (None, None),
            (Some(&*good), None),
            (Some(&*good), Some("")),
            (None, Some(folder)),
            (Some(&*good), Some(&*format!("{folder}:"))),
        ] {
            assert_eq!(told(file, folders), Ok(()), "{file:?} {folders:?}");
        }
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        for (file, part) in [
            ("/nowhere", "No such file"),
            (folder, "a folder"),
            ("", "is set and empty"),
            (" ", "is set and empty"),
            (&format!("\"{good}\""), "quotes"),
            (&format!("{good}\n"), "No such file"),
            ("${CA}", "placeholder"),
            (&at("empty.pem", ""), "no certificate"),
            (&at("key.pem", key), "no certificate"),
            (&at("cut.pem", &pem[..pem.len() / 2]), "cannot be read"),
            (&at("marked.pem", &format!("\u{feff}{pem}{pem}")), "cannot be read"),
        ] {
            let told = told(Some(file), None).unwrap_err();
            assert!(told.starts_with(FILE) && told.contains(part), "{file:?}: {told}");
        }
        let told = told(None, Some("/nowhere:/tmp")).unwrap_err();
        assert!(told.starts_with("SSL_CERT_DIR: /nowhere"), "{told}");
    }
}
