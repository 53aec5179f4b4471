//! What a certificate says about itself.

use instant_acme::CertificateIdentifier;
use jiff::Timestamp;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::pace;

/// A chain that an authority handed out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chain {
    /// PEM, the certificate itself first.
    pub pem: String,
    /// By which its authority knows it.
    pub identifier: String,
    /// From when on it counts.
    pub not_before: Timestamp,
    /// Until when.
    pub not_after: Timestamp,
}

/// What an authority handed out is no certificate for what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what the authority handed out is of no use: {0}")]
pub struct Useless(String);

impl Chain {
    /// Reads what an authority handed out for a name.
    ///
    /// # Errors
    /// [`Useless`]: no certificate, or for another name or another key.
    pub fn read(pem: String, name: &str, public_key: &[u8]) -> Result<Self, Useless> {
        let useless = |why: &dyn std::fmt::Display| Useless(why.to_string());
        let first = CertificateDer::pem_slice_iter(pem.as_bytes()).next();
        let der = first
            .ok_or_else(|| useless(&"there is none in it"))?
            .map_err(|error| useless(&error))?;
        let identifier = CertificateIdentifier::try_from(&der).map_err(|why| useless(&why))?;
        let (_, certificate) = X509Certificate::from_der(&der).map_err(|error| useless(&error))?;
        if certificate.public_key().raw != public_key {
            return Err(useless(&"it is for another key"));
        }
        let names = certificate.subject_alternative_name().map_err(|error| useless(&error))?;
        let is_for = names.is_some_and(|names| {
            names.value.general_names.iter().any(|each| {
                matches!(each, x509_parser::prelude::GeneralName::DNSName(each) if *each == name)
            })
        });
        if !is_for {
            return Err(useless(&format!("it is not for {name}")));
        }
        let validity = certificate.validity();
        let at = |seconds| Timestamp::from_second(seconds).map_err(|error| useless(&error));
        let (not_before, not_after) =
            (at(validity.not_before.timestamp())?, at(validity.not_after.timestamp())?);
        let identifier = identifier.to_string();
        drop(certificate);
        Ok(Self { pem, identifier, not_before, not_after })
    }

    /// When a new one is to be ordered, where the authority does not say.
    pub fn renew_at(&self) -> Timestamp {
        pace::renew_at(self.not_before, self.not_after)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(name: &str, key: &rcgen::KeyPair, days: i64) -> String {
        let root_key = rcgen::KeyPair::generate().unwrap();
        let mut root = rcgen::CertificateParams::default();
        root.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        root.use_authority_key_identifier_extension = true;
        let root = rcgen::Issuer::from_params(&root, &root_key);
        let mut leaf = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        leaf.use_authority_key_identifier_extension = true;
        leaf.not_before = rcgen::date_time_ymd(2026, 8, 1);
        leaf.not_after =
            leaf.not_before + std::time::Duration::from_hours(24) * days.try_into().unwrap();
        leaf.signed_by(key, &root).unwrap().pem()
    }

    #[test]
    fn it_is_renewed_when_a_third_is_left_and_a_short_one_when_half_is() {
        let key = rcgen::KeyPair::generate().unwrap();
        let public = rcgen::PublicKeyData::subject_public_key_info(&key);
        let read = |days| Chain::read(made("a.test", &key, days), "a.test", &public).unwrap();
        let day = |chain: &Chain| chain.renew_at().duration_since(chain.not_before).as_hours() / 24;
        assert_eq!((day(&read(90)), day(&read(45)), day(&read(6))), (60, 30, 3));
    }

    #[test]
    fn one_for_another_name_or_another_key_is_refused() {
        let (key, other) =
            (rcgen::KeyPair::generate().unwrap(), rcgen::KeyPair::generate().unwrap());
        let public = rcgen::PublicKeyData::subject_public_key_info(&key);
        for (pem, why) in [
            (made("b.test", &key, 90), "not for a.test"),
            (made("a.test", &other, 90), "another key"),
            (String::new(), "none in it"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_owned(), ""),
        ] {
            let refused = Chain::read(pem, "a.test", &public).unwrap_err();
            assert!(refused.to_string().contains(why), "{refused}");
        }
    }
}
