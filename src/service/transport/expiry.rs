//! When certificates end. The only user of `x509_cert`.
//!
//! It must never decide whether a certificate counts: that is rustls's.

use tokio_rustls::rustls::pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The moment from which on one of these certificates does not count any more, in seconds since
/// 1970; none when it cannot be read.
pub(super) fn first_end(certificates: &[CertificateDer<'_>]) -> Option<u64> {
    let ends = certificates.iter().map(|it| {
        let certificate = Certificate::from_der(it).ok()?;
        Some(certificate.tbs_certificate().validity().not_after.to_unix_duration().as_secs())
    });
    ends.collect::<Option<Vec<u64>>>()?.into_iter().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_end_of_a_chain_counts() {
        let of = |year| {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
            params.not_after = rcgen::date_time_ymd(year, 1, 1);
            params.self_signed(&key).unwrap().der().clone()
        };
        // 2040 is written as a date of two digits, 2050 as one of four.
        assert_eq!(first_end(&[of(2050), of(2040)]), Some(2_208_988_800));
        assert_eq!(first_end(&[of(2050)]), Some(2_524_608_000));
        assert_eq!(first_end(&[of(2050), CertificateDer::from(vec![0x30, 0x00])]), None);
        assert_eq!(first_end(&[]), None);
    }
}
