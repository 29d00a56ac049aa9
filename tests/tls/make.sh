#!/bin/sh
# Makes the certificates and keys of the Rust tests: `cd tests/tls && sh make.sh`. They are good for
# a hundred years, and secret to nobody. The password is `secret`.
set -e
days="-days 36500"
make_certificate() { # name, subject alternative names, options of the key
    openssl req -x509 -nodes $days -subj "/CN=$1" -addext "subjectAltName=$2" \
        -addext basicConstraints=critical,CA:FALSE \
        -keyout "$1.key" -out "$1.pem" $3 2>/dev/null
}
make_certificate localhost DNS:localhost "-newkey ec -pkeyopt ec_paramgen_curve:P-256"
make_certificate other DNS:other.test,DNS:*.wild.test "-newkey ec -pkeyopt ec_paramgen_curve:P-384"
make_certificate rsa DNS:localhost "-newkey rsa:2048"
make_certificate ed25519 DNS:localhost "-newkey ed25519"
openssl ec -in localhost.key -out sec1.key 2>/dev/null
openssl rsa -traditional -in rsa.key -out pkcs1.key 2>/dev/null
pkcs8="openssl pkcs8 -topk8 -in localhost.key -passout pass:secret"
$pkcs8 -v2 aes-256-cbc -v2prf hmacWithSHA256 -iter 1000 -out pkcs8-aes256.key
$pkcs8 -v2 aes-128-cbc -v2prf hmacWithSHA1 -iter 1000 -out pkcs8-aes128-sha1.key
$pkcs8 -v2 des3 -v2prf hmacWithSHA1 -iter 1000 -out pkcs8-des3.key
$pkcs8 -scrypt -scrypt_N 1024 -out pkcs8-scrypt.key
$pkcs8 -v1 PBE-SHA1-3DES -out pkcs8-pbes1.key
for cipher in aes128 aes192 aes256 des3; do
    openssl ec -in localhost.key -$cipher -passout pass:secret -out sec1-$cipher.key 2>/dev/null
done
openssl rsa -traditional -in rsa.key -aes256 -passout pass:secret -out pkcs1-aes256.key 2>/dev/null
# OpenSSL 3 keeps single DES in its legacy provider.
openssl rsa -traditional -provider legacy -provider default -in rsa.key -des -passout pass:secret \
    -out pkcs1-des.key 2>/dev/null
