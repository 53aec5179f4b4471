//! Several root keys: one seals, all open. So another one takes its place while all goes on.

use std::sync::Arc;

use secrecy::SecretString;

use super::{Error, KeyId, Place, RootKey, sealed_under};

/// Root keys, the one first that seals. There is always one.
#[derive(Clone, Debug)]
pub struct KeyRing {
    seals: Arc<RootKey>,
    others: Vec<Arc<RootKey>>,
}

impl KeyRing {
    /// This one alone.
    pub fn of(seals: RootKey) -> Self {
        Self { seals: Arc::new(seals), others: Vec::new() }
    }

    /// And this one, which opens and does not seal.
    #[must_use]
    pub fn and(mut self, opens: RootKey) -> Self {
        self.add(Arc::new(opens));
        self
    }

    /// And all of those, which open and do not seal.
    #[must_use]
    pub fn and_all_of(mut self, others: &Self) -> Self {
        others.keys().for_each(|key| self.add(Arc::clone(key)));
        self
    }

    /// The same keys, of which this one seals; the ring as it is where it has none such.
    #[must_use]
    pub fn sealing_under(mut self, id: KeyId) -> Self {
        if let Some(key) = self.others.iter_mut().find(|key| key.id() == id) {
            std::mem::swap(key, &mut self.seals);
        }
        self
    }

    /// Without these, but for the one that seals.
    #[must_use]
    pub fn without(mut self, ids: &[KeyId]) -> Self {
        self.others.retain(|key| !ids.contains(&key.id()));
        self
    }

    /// What seals.
    pub fn seals(&self) -> &RootKey {
        &self.seals
    }

    /// Their names, the one first that seals.
    pub fn ids(&self) -> impl Iterator<Item = KeyId> {
        self.keys().map(|key| key.id())
    }

    /// Whether what this key sealed can be opened.
    pub fn opens(&self, id: KeyId) -> bool {
        self.ids().any(|known| known == id)
    }

    /// All of them, the one first that seals.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<RootKey>> {
        std::iter::once(&self.seals).chain(&self.others)
    }

    /// Seals `secret` for its place.
    ///
    /// # Errors
    /// [`Error::Failed`]
    pub fn seal(&self, place: Place<'_>, secret: &SecretString) -> Result<Vec<u8>, Error> {
        super::seal(&self.seals, place, secret)
    }

    /// Opens what one of them sealed for the same place.
    ///
    /// # Errors
    /// [`Error`]
    pub fn open(&self, place: Place<'_>, sealed: &[u8]) -> Result<SecretString, Error> {
        let id = sealed_under(sealed)?;
        let key = self.keys().find(|key| key.id() == id).unwrap_or(&self.seals);
        super::open(key, place, sealed)
    }

    /// The same secret, sealed by the one that seals.
    ///
    /// # Errors
    /// [`Error`]
    pub fn sealed_anew(&self, place: Place<'_>, sealed: &[u8]) -> Result<Vec<u8>, Error> {
        self.seal(place, &self.open(place, sealed)?)
    }

    fn add(&mut self, key: Arc<RootKey>) {
        if !self.opens(key.id()) {
            self.others.push(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;

    const PLACE: Place<'_> = Place { tenant: "acme", table: "tenant.secret", field: "smtp" };

    fn key(byte: u8) -> RootKey {
        RootKey::from_bytes([byte; 32])
    }

    #[test]
    fn one_seals_and_all_open() {
        let before = KeyRing::of(key(1));
        let sealed = before.seal(PLACE, &"hunter2".into()).unwrap();
        let known = before.clone().and(key(2));
        assert_eq!(known.seals().id(), key(1).id());
        let turned = known.sealing_under(key(2).id());
        assert_eq!(turned.ids().collect::<Vec<_>>(), [key(2).id(), key(1).id()]);
        assert_eq!(turned.open(PLACE, &sealed).unwrap().expose_secret(), "hunter2");
        let anew = turned.sealed_anew(PLACE, &sealed).unwrap();
        assert_eq!(sealed_under(&anew).unwrap(), key(2).id());
        let after = turned.without(&[key(1).id(), key(2).id()]);
        assert_eq!(after.open(PLACE, &anew).unwrap().expose_secret(), "hunter2");
        let refused = Error::OtherKey { sealed_under: key(1).id(), here: key(2).id() };
        assert_eq!(after.open(PLACE, &sealed).unwrap_err(), refused);
    }

    #[test]
    fn a_key_is_in_it_once_and_none_that_is_unknown_seals() {
        let ring = KeyRing::of(key(1)).and(key(1)).and(key(2));
        let ring = ring.and_all_of(&KeyRing::of(key(2)).and(key(3)));
        assert_eq!(ring.ids().collect::<Vec<_>>(), [1, 2, 3].map(|byte| key(byte).id()));
        assert_eq!(ring.clone().sealing_under(key(9).id()).seals().id(), key(1).id());
        assert!(ring.opens(key(3).id()) && !ring.opens(key(9).id()));
    }

    #[test]
    fn what_is_no_sealed_value_is_sealed_under_nothing() {
        let sealed = KeyRing::of(key(1)).seal(PLACE, &"x".into()).unwrap();
        assert_eq!(sealed_under(&sealed), Ok(key(1).id()));
        for wrong in [&[][..], &sealed[..8], &[2; 40]] {
            assert_eq!(sealed_under(wrong), Err(Error::Malformed));
        }
    }
}
