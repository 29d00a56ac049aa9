//! Private keys from PEM: PKCS#8, PKCS#1 (RSA) and SEC 1 (EC), in the clear or encrypted.

use aes::{Aes128, Aes192, Aes256};
use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, InnerIvInit, KeyInit};
use des::{Des, TdesEde3};
use futures_rustls::pki_types::{
    PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
};
use md5::{Digest, Md5};
use pkcs8::EncryptedPrivateKeyInfoRef;

use super::pem::{self, Section};

/// What is wrong with a key, without a full stop.
type Complaint = String;

/// The first private key in a PEM file. `password` is used if it is encrypted.
pub fn private_key(
    text: &str,
    password: Option<&str>,
) -> Result<PrivateKeyDer<'static>, Complaint> {
    let sections = pem::sections(text);
    let section = sections
        .iter()
        .find(|section| section.label.ends_with("PRIVATE KEY"))
        .ok_or("there is no private key in it")?;
    let bytes = section
        .bytes()
        .ok_or("the private key in it is not valid PEM")?;
    let bytes = match section.header("Proc-Type") {
        Some(kind) if kind.contains("ENCRYPTED") => {
            decrypt_traditional(section, &bytes, needed(password)?)?
        }
        _ => bytes,
    };
    match section.label {
        "PRIVATE KEY" => Ok(PrivatePkcs8KeyDer::from(bytes).into()),
        "RSA PRIVATE KEY" => Ok(PrivatePkcs1KeyDer::from(bytes).into()),
        "EC PRIVATE KEY" => Ok(PrivateSec1KeyDer::from(bytes).into()),
        "ENCRYPTED PRIVATE KEY" => {
            let key = decrypt_pkcs8(&bytes, needed(password)?)?;
            Ok(PrivatePkcs8KeyDer::from(key).into())
        }
        other => Err(format!("a key of the kind '{other}' is not supported")),
    }
}

fn needed(password: Option<&str>) -> Result<&str, Complaint> {
    password.ok_or_else(|| {
        "the private key in it is encrypted, and there is no '--ssl-keyfile-password'".to_owned()
    })
}

const WRONG_PASSWORD: &str = "the private key in it cannot be decrypted: is the password wrong?";

/// PKCS#8 with PBES2 (RFC 8018).
fn decrypt_pkcs8(der: &[u8], password: &str) -> Result<Vec<u8>, Complaint> {
    let encrypted = EncryptedPrivateKeyInfoRef::try_from(der)
        .ok()
        .filter(|encrypted| encrypted.encryption_algorithm.pbes2().is_some())
        .ok_or(
            "the private key in it is encrypted in a way that is not supported ('openssl pkcs8 \
             -topk8 -v2 aes-256-cbc' makes one that is)",
        )?;
    let key = encrypted
        .decrypt(password)
        .map_err(|_| WRONG_PASSWORD.to_owned())?;
    Ok(key.as_bytes().to_vec())
}

/// The older way, of RFC 1421 and OpenSSL: the section says cipher and salt in its headers, and the
/// key is made by one round of MD5.
fn decrypt_traditional(
    section: &Section<'_>,
    bytes: &[u8],
    password: &str,
) -> Result<Vec<u8>, Complaint> {
    let unsupported =
        || "the private key in it is encrypted in a way that is not supported".to_owned();
    let (cipher, salt) = section
        .header("DEK-Info")
        .and_then(|info| info.split_once(','))
        .ok_or_else(unsupported)?;
    let iv = super::hex(salt.trim()).ok_or_else(unsupported)?;
    let salt = iv.get(..8).ok_or_else(unsupported)?;
    let password = password.as_bytes();
    let plain = match cipher.trim() {
        "AES-128-CBC" => decrypt_cbc::<Aes128>(&derive(password, salt, 16), &iv, bytes),
        "AES-192-CBC" => decrypt_cbc::<Aes192>(&derive(password, salt, 24), &iv, bytes),
        "AES-256-CBC" => decrypt_cbc::<Aes256>(&derive(password, salt, 32), &iv, bytes),
        "DES-EDE3-CBC" => decrypt_cbc::<TdesEde3>(&derive(password, salt, 24), &iv, bytes),
        "DES-CBC" => decrypt_cbc::<Des>(&derive(password, salt, 8), &iv, bytes),
        other => return Err(format!("a key encrypted by {other} is not supported")),
    };
    // A wrong password may by chance leave a valid padding, but no DER sequence that fits.
    plain
        .filter(|plain| is_one_sequence(plain))
        .ok_or_else(|| WRONG_PASSWORD.to_owned())
}

fn decrypt_cbc<C>(key: &[u8], iv: &[u8], bytes: &[u8]) -> Option<Vec<u8>>
where
    C: BlockCipherDecrypt + KeyInit,
{
    let cipher = C::new_from_slice(key).ok()?;
    cbc::Decryptor::<C>::inner_iv_slice_init(cipher, iv)
        .ok()?
        .decrypt_padded_vec::<Pkcs7>(bytes)
        .ok()
}

/// OpenSSL's `EVP_BytesToKey` with MD5 and one round.
fn derive(password: &[u8], salt: &[u8], len: usize) -> Vec<u8> {
    let mut key = Vec::new();
    let mut block: Vec<u8> = Vec::new();
    while key.len() < len {
        block = Md5::new()
            .chain_update(&block)
            .chain_update(password)
            .chain_update(salt)
            .finalize()
            .to_vec();
        key.extend_from_slice(&block);
    }
    key.truncate(len);
    key
}

/// True when `bytes` are one DER sequence and nothing else.
fn is_one_sequence(bytes: &[u8]) -> bool {
    super::der::Reader::new(bytes)
        .read(super::der::SEQUENCE)
        .is_some_and(|(_, rest)| rest.is_empty())
}
