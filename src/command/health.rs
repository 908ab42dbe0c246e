//! `health`: asks the auditor that runs with these settings whether it makes progress. The command is for containers,
//! which have neither a shell nor curl.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use ureq::Agent;

use super::setup::CommandError;
use crate::audit::Exit;
use crate::config::{Listen, Settings};
use crate::report::print;
use crate::text::Escaped;

/// The deadline for each address. A running auditor responds faster, and two addresses take less than the image's 10 s.
const PROBE_TIMEOUT: Duration = Duration::from_secs(4);

/// Requests the running auditor's `/livez` and prints the response.
///
/// # Errors
/// The settings have no address to request.
pub fn run(settings: &Settings) -> Result<Exit, CommandError> {
    let listen = settings.monitoring.listen.as_ref();
    let listen = listen.filter(|listen| listen.port != 0);
    let authorities = authorities(listen.ok_or(CommandError::NoProbe)?);
    let agent = Agent::config_builder()
        .timeout_global(Some(PROBE_TIMEOUT))
        .max_redirects(0)
        .http_status_as_error(false)
        .proxy(None) // the auditor runs on this host
        .build()
        .new_agent();
    let mut failures = Vec::new();
    for authority in authorities {
        let url = format!("http://{authority}/livez");
        let answer = agent.get(&url).call().and_then(|mut answer| {
            let text = answer.body_mut().with_config().limit(4096).read_to_string();
            Ok((answer.status().is_success(), text?))
        });
        match answer {
            Ok((alive, text)) => {
                print(&printable(&text));
                return Ok(if alive { Exit::Good } else { Exit::Incomplete });
            }
            Err(error) => failures.push(format!("{url}: {}", Escaped::new(&error.to_string()))),
        }
    }
    print(&failures.join("; "));
    Ok(Exit::Incomplete)
}

/// Returns the text on one line, without characters that a terminal could take for a command.
fn printable(text: &str) -> String {
    let shown = |c: &char| matches!(c, ' '..='~');
    text.trim().chars().filter(shown).collect()
}

/// Returns the addresses to try in turn until one responds. An auditor that listens on all addresses also listens on
/// loopback.
fn authorities(listen: &Listen) -> Vec<String> {
    let at = |host: &str| format!("{host}:{}", listen.port);
    match listen.host.parse() {
        Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)) => vec![at("127.0.0.1")],
        // this address includes IPv4, but the host may have only one of the two
        Ok(IpAddr::V6(Ipv6Addr::UNSPECIFIED)) => vec![at("127.0.0.1"), at("[::1]")],
        Ok(IpAddr::V6(address)) => vec![at(&format!("[{address}]"))],
        _ => vec![at(&listen.host)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unspecified_address_is_asked_on_loopback() {
        let at = |host: &str| {
            authorities(&Listen {
                host: host.into(),
                port: 9477,
            })
        };
        assert_eq!(at("0.0.0.0"), ["127.0.0.1:9477"]);
        assert_eq!(at("::"), ["127.0.0.1:9477", "[::1]:9477"]);
        assert_eq!(at("10.0.0.1"), ["10.0.0.1:9477"]);
        assert_eq!(at("fd00::1"), ["[fd00::1]:9477"]);
        assert_eq!(at("auditor.local"), ["auditor.local:9477"]);
    }
}
