//! `--ssl-ciphers`: a cipher list in OpenSSL's words, as suites that rustls has.
//!
//! OpenSSL's language (openssl-ciphers(1)) is evaluated on the suites that are there. As with
//! OpenSSL, the list rules TLS 1.2, and TLS 1.3 keeps all its suites unless some are named.

use futures_rustls::rustls::{CipherSuite, SupportedCipherSuite};

use super::error::TlsError;

/// A suite, as OpenSSL describes it.
struct Known {
    suite: CipherSuite,
    /// OpenSSL's name; for TLS 1.3 both have the same.
    name: &'static str,
    /// IANA's name.
    iana: &'static str,
    /// The aliases of OpenSSL that it belongs to.
    traits: &'static [&'static str],
}

/// What all suites of TLS 1.2 have in common.
const COMMON: &[&str] = &[
    "ALL", "DEFAULT", "HIGH", "TLSv1", "TLSv1.0", "TLSv1.2", "kEECDH", "kECDHE", "EECDH", "ECDHE",
    "AEAD", "FIPS",
];

const KNOWN: &[Known] = &[
    Known {
        suite: CipherSuite::TLS13_AES_256_GCM_SHA384,
        name: "TLS_AES_256_GCM_SHA384",
        iana: "TLS_AES_256_GCM_SHA384",
        traits: &[],
    },
    Known {
        suite: CipherSuite::TLS13_AES_128_GCM_SHA256,
        name: "TLS_AES_128_GCM_SHA256",
        iana: "TLS_AES_128_GCM_SHA256",
        traits: &[],
    },
    Known {
        suite: CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
        name: "TLS_CHACHA20_POLY1305_SHA256",
        iana: "TLS_CHACHA20_POLY1305_SHA256",
        traits: &[],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-ECDSA-AES256-GCM-SHA384",
        iana: "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        traits: &["aECDSA", "ECDSA", "AES", "AES256", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-ECDSA-AES128-GCM-SHA256",
        iana: "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
        traits: &["aECDSA", "ECDSA", "AES", "AES128", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-ECDSA-CHACHA20-POLY1305",
        iana: "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        traits: &["aECDSA", "ECDSA", "CHACHA20"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
        name: "ECDHE-RSA-AES256-GCM-SHA384",
        iana: "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        traits: &["aRSA", "AES", "AES256", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
        name: "ECDHE-RSA-AES128-GCM-SHA256",
        iana: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
        traits: &["aRSA", "AES", "AES128", "AESGCM"],
    },
    Known {
        suite: CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        name: "ECDHE-RSA-CHACHA20-POLY1305",
        iana: "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        traits: &["aRSA", "CHACHA20"],
    },
];

/// Words of OpenSSL for what no suite here has. To exclude them is to exclude nothing; they are
/// not worth a warning.
const ABSENT: &[&str] = &[
    "aNULL",
    "eNULL",
    "NULL",
    "ADH",
    "AECDH",
    "EXP",
    "EXPORT",
    "LOW",
    "MEDIUM",
    "SSLv2",
    "SSLv3",
    "MD5",
    "SHA",
    "SHA1",
    "SHA256",
    "SHA384",
    "RC2",
    "RC4",
    "DES",
    "3DES",
    "IDEA",
    "SEED",
    "CAMELLIA",
    "CAMELLIA128",
    "CAMELLIA256",
    "ARIA",
    "AESCCM",
    "AESCCM8",
    "kRSA",
    "RSA",
    "kDHE",
    "kEDH",
    "DHE",
    "EDH",
    "DH",
    "kDH",
    "kDHd",
    "kDHr",
    "DSS",
    "aDSS",
    "PSK",
    "kPSK",
    "aPSK",
    "SRP",
    "kSRP",
    "aSRP",
    "GOST",
    "COMPLEMENTOFALL",
    "COMPLEMENTOFDEFAULT",
];

/// What a cipher list came to.
#[derive(Debug, PartialEq)]
pub struct Ciphers {
    /// The suites, the preferred one first.
    pub suites: Vec<SupportedCipherSuite>,
    /// Names that were asked for, and of which there is nothing.
    pub unavailable: Vec<String>,
}

/// Chooses from `available` what `list` asks for.
pub fn choose(list: &str, available: &[SupportedCipherSuite]) -> Result<Ciphers, TlsError> {
    let mut chosen: Vec<&Known> = Vec::new();
    let mut banned: Vec<&Known> = Vec::new();
    let mut unavailable = Vec::new();
    let words = list
        .split([':', ',', ';', ' '])
        .filter(|word| !word.is_empty());
    for word in words.filter(|word| !word.starts_with('@')) {
        let (action, name) = match word.split_at_checked(1) {
            Some((sign @ ("!" | "-" | "+"), name)) => (sign, name),
            _ => ("", word),
        };
        let meant = meant_by(name);
        match action {
            "!" => {
                chosen.retain(|known| !contains(&meant, known));
                banned.extend(meant);
            }
            "-" => chosen.retain(|known| !contains(&meant, known)),
            "+" => {
                let (moved, kept) = chosen
                    .into_iter()
                    .partition::<Vec<_>, _>(|known| contains(&meant, known));
                chosen = kept.into_iter().chain(moved).collect();
            }
            _ => {
                if meant.is_empty() {
                    unavailable.push(name.to_owned());
                }
                for known in meant {
                    if !contains(&chosen, known) && !contains(&banned, known) {
                        chosen.push(known);
                    }
                }
            }
        }
    }
    let is_13 = |known: &&Known| known.traits.is_empty();
    if !chosen.iter().any(is_13) && !chosen.is_empty() {
        let all = KNOWN.iter().filter(is_13);
        chosen.splice(0..0, all.filter(|known| !contains(&banned, known)));
    }
    let suites: Vec<SupportedCipherSuite> = chosen
        .iter()
        .filter_map(|known| available.iter().find(|has| has.suite() == known.suite))
        .copied()
        .collect();
    if suites.is_empty() {
        return Err(nothing_left(list));
    }
    Ok(Ciphers {
        suites,
        unavailable,
    })
}

fn nothing_left(list: &str) -> TlsError {
    let names: Vec<&str> = KNOWN.iter().map(|known| known.name).collect();
    TlsError::Value {
        option: "--ssl-ciphers",
        what: format!(
            "there is no cipher suite for '{list}'; there are: {}",
            names.join(", ")
        ),
    }
}

/// Compares by place: each suite stands in the table once.
fn contains(list: &[&'static Known], wanted: &Known) -> bool {
    list.iter().any(|known| known.suite == wanted.suite)
}

/// The suites of a name, or those that have all of several traits with `+` between them.
fn meant_by(name: &str) -> Vec<&'static Known> {
    let exact = KNOWN
        .iter()
        .find(|known| known.name == name || known.iana == name);
    if let Some(known) = exact {
        return vec![known];
    }
    let words: Vec<&str> = name.split('+').collect();
    let has = |known: &Known, word: &str| {
        !known.traits.is_empty() && (known.traits.contains(&word) || COMMON.contains(&word))
    };
    KNOWN
        .iter()
        .filter(|known| words.iter().all(|word| has(known, word)))
        .collect()
}

impl Ciphers {
    /// What the operator should be told.
    pub fn warning(&self) -> Option<String> {
        let names: Vec<&str> = self
            .unavailable
            .iter()
            .map(String::as_str)
            .filter(|name| !ABSENT.contains(name))
            .collect();
        (!names.is_empty()).then(|| {
            format!(
                "--ssl-ciphers: not available, and left out: {}",
                names.join(", ")
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use futures_rustls::rustls::crypto::ring::ALL_CIPHER_SUITES;

    use super::*;

    fn names(list: &str) -> Vec<&'static str> {
        choose(list, ALL_CIPHER_SUITES)
            .unwrap()
            .suites
            .iter()
            .map(|has| {
                let known = KNOWN.iter().find(|known| known.suite == has.suite());
                known.unwrap().name
            })
            .collect()
    }

    const TLS13: [&str; 3] = [
        "TLS_AES_256_GCM_SHA384",
        "TLS_AES_128_GCM_SHA256",
        "TLS_CHACHA20_POLY1305_SHA256",
    ];

    #[test]
    fn the_table_knows_every_suite_of_the_library() {
        for suite in ALL_CIPHER_SUITES {
            assert!(KNOWN.iter().any(|known| known.suite == suite.suite()));
        }
        assert_eq!(KNOWN.len(), ALL_CIPHER_SUITES.len());
    }

    #[test]
    fn names_keep_their_order_behind_those_of_tls_13() {
        let list = "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256";
        let expected: Vec<&str> = TLS13.into_iter().chain(list.split(':')).collect();
        assert_eq!(names(list), expected);
        assert_eq!(
            names("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")[3..],
            ["ECDHE-RSA-AES128-GCM-SHA256"]
        );
    }

    #[test]
    fn tls_13_can_be_narrowed_by_name() {
        assert_eq!(
            names("TLS_AES_128_GCM_SHA256:ECDHE+aRSA+AES256"),
            ["TLS_AES_128_GCM_SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(names("TLS_AES_128_GCM_SHA256"), ["TLS_AES_128_GCM_SHA256"]);
    }

    #[test]
    fn openssls_words_and_signs_mean_what_they_mean_there() {
        for all in [
            "TLSv1",
            "DEFAULT",
            "HIGH:!aNULL:!MD5",
            "ALL@SECLEVEL=2:@STRENGTH",
        ] {
            assert_eq!(names(all.split('@').next().unwrap()).len(), 9, "{all}");
        }
        assert_eq!(
            names("ECDHE+AESGCM:!aECDSA")[3..],
            ["ECDHE-RSA-AES256-GCM-SHA384", "ECDHE-RSA-AES128-GCM-SHA256"]
        );
        assert_eq!(
            names("aRSA:-CHACHA20:+AES256")[3..],
            ["ECDHE-RSA-AES128-GCM-SHA256", "ECDHE-RSA-AES256-GCM-SHA384"]
        );
        assert_eq!(
            names("!CHACHA20:aRSA:!TLS_CHACHA20_POLY1305_SHA256"),
            [
                "TLS_AES_256_GCM_SHA384",
                "TLS_AES_128_GCM_SHA256",
                "ECDHE-RSA-AES256-GCM-SHA384",
                "ECDHE-RSA-AES128-GCM-SHA256"
            ]
        );
    }

    #[test]
    fn what_is_not_there_is_left_out_and_said() {
        let list = "ECDHE-RSA-AES128-GCM-SHA256:DHE-RSA-AES128-GCM-SHA256:RC4:NONSENSE";
        let ciphers = choose(list, ALL_CIPHER_SUITES).unwrap();
        assert_eq!(ciphers.suites.len(), 4);
        assert_eq!(
            ciphers.warning().unwrap(),
            "--ssl-ciphers: not available, and left out: DHE-RSA-AES128-GCM-SHA256, NONSENSE"
        );
        assert_eq!(choose("HIGH", ALL_CIPHER_SUITES).unwrap().warning(), None);
    }

    #[test]
    fn a_list_of_nothing_is_an_error_that_says_what_there_is() {
        for list in ["", "RC4-SHA", "HIGH:!ALL", "AES128-SHA:nonsense"] {
            let error = choose(list, ALL_CIPHER_SUITES).unwrap_err().to_string();
            assert!(error.starts_with("--ssl-ciphers: there is no cipher suite for '"));
            assert!(error.ends_with("ECDHE-RSA-CHACHA20-POLY1305"), "{error}");
        }
    }
}
