//! One order, as far as it gets.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use instant_acme::{
    Account, AuthorizationHandle, AuthorizationStatus, CertificateIdentifier, ChallengeType,
    Identifier, NewOrder, OrderStatus, RetryPolicy,
};
use jiff::{SignedDuration, Timestamp};
use rcgen::{CertificateSigningRequestParams, PublicKeyData as _};
use sqlx::PgPool;
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;
use tokio_rustls::rustls::pki_types::CertificateSigningRequestDer;
use tokio_util::sync::CancellationToken;
use work::Clock;
use work::sealed::RootKey;

use super::table::{self, Later};
use super::turns::Queue;
use super::{Advanced, Order, TAKEN};
use crate::acme::{Accounts, Authority, NONCES, Trouble, again, is_bad_nonce};
use crate::chain::Chain;
use crate::dns::Editor;
use crate::pace::{self, PATIENCE, Silences};

/// An answer to a challenge is kept for so long, should nobody have asked for it.
const ANSWERED: SignedDuration = SignedDuration::from_hours(24);

/// One run of an order ends within this time, before another one may take it.
const DEADLINE: Duration = Duration::from_secs(TAKEN.as_secs().unsigned_abs() - 10);

/// Nobody waits for longer than this for the next look, whatever is said about the next order.
const LOOKS: Duration = Duration::from_secs(5);

/// And so long at least, though some order that another process has taken may be due.
const SHORTEST: Duration = Duration::from_millis(20);

/// How certificates are ordered.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Whom they are ordered from: the first, and those after it where it does not answer.
    pub authorities: Vec<Authority>,
    /// Orders under way at once.
    pub at_once: usize,
    /// How an authority is asked whether it is done.
    pub polls: RetryPolicy,
    /// The service's own domain, where the names below it are to have a certificate.
    pub own: Option<OwnDomain>,
}

/// A domain of ours with one certificate for all names right below it.
#[derive(Clone, Debug)]
pub struct OwnDomain {
    /// Such as `platforms.example.com`.
    pub domain: String,
    /// Who sets what proves that it is ours.
    pub editor: Arc<dyn Editor>,
}

impl OwnDomain {
    /// What its certificate is for.
    pub fn wildcard(&self) -> String {
        format!("*.{}", self.domain)
    }
}

/// Orders certificates.
pub struct Issuer {
    pub(super) db: PgPool,
    pub(super) accounts: Accounts,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    silences: Mutex<Silences>,
    more: Notify,
}

impl Issuer {
    /// One that has not begun.
    pub fn new(db: PgPool, key: Arc<RootKey>, settings: Settings, clock: Clock) -> Self {
        let accounts = Accounts::new(db.clone(), key);
        let silences = Mutex::default();
        Self { db, accounts, settings, clock, silences, more: Notify::new() }
    }

    /// The accounts that orders are made from.
    pub fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// What the service's own certificate is for, where it is ordered here.
    pub(crate) fn own(&self) -> Option<String> {
        self.settings.own.as_ref().map(OwnDomain::wildcard)
    }

    /// There is an order to be looked at.
    pub fn notice(&self) {
        self.more.notify_one();
    }

    /// Advances what is due, until it is told to stop; what is under way then is ended first.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        let places = Arc::new(Semaphore::new(self.settings.at_once));
        // They end with this: who is not in charge any more orders nothing.
        let mut running = JoinSet::new();
        while !stop.is_cancelled() {
            while running.try_join_next().is_some() {}
            let free = places.available_permits();
            let due = self.take(free).await.unwrap_or_else(|error| {
                tracing::warn!(%error, "no orders can be taken");
                Vec::new()
            });
            let found = due.len();
            for order in due {
                let Ok(place) = places.clone().acquire_owned().await else { return };
                let issuer = self.clone();
                running.spawn(async move {
                    Box::pin(issuer.one(&order)).await;
                    drop(place);
                    issuer.notice();
                });
            }
            let is_full = places.available_permits() == 0;
            if found == 0 || is_full {
                // Who ends gives notice: until then there is nothing to be taken.
                let pause = if is_full { LOOKS } else { self.until_next().await };
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = self.more.notified() => {}
                    () = tokio::time::sleep(pause.max(SHORTEST)) => {}
                }
            }
        }
        while running.join_next().await.is_some() {}
    }

    async fn take(&self, most: usize) -> sqlx::Result<Vec<Order>> {
        if most == 0 {
            return Ok(Vec::new());
        }
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut conn = self.db.acquire().await?;
        table::take(&mut conn, most, self.clock.now()).await
    }

    async fn until_next(&self) -> Duration {
        let next = async {
            let mut conn = self.db.acquire().await?;
            table::next_due(&mut conn).await
        };
        let Ok(Some(at)) = next.await else { return LOOKS };
        Duration::try_from(at.duration_since(self.clock.now())).unwrap_or_default().min(LOOKS)
    }

    /// Advances one order, and writes down what came of it.
    pub async fn one(&self, order: &Order) -> Advanced {
        let mut order = order.clone();
        let advanced = tokio::time::timeout(DEADLINE, Box::pin(self.advance(&mut order))).await;
        let late = |_| Err(Trouble::Busy { why: "it takes long".to_owned(), after: None });
        match advanced.unwrap_or_else(late) {
            Ok(()) => Advanced::Issued,
            Err(trouble) => {
                tracing::info!(name = order.name, %trouble, "no certificate yet");
                if let Err(error) = self.note(&order, &trouble).await {
                    // It is taken up again all the same, once it is nobody's any more.
                    tracing::warn!(name = order.name, %error, "cannot be written down");
                }
                Advanced::Later(trouble)
            }
        }
    }

    async fn note(&self, order: &Order, trouble: &Trouble) -> sqlx::Result<()> {
        let now = self.clock.now();
        let refused = matches!(trouble, Trouble::Refused(_));
        let refusals = if refused { order.refusals.saturating_add(1) } else { order.refusals };
        let silent = matches!(trouble, Trouble::Silent(_) | Trouble::Busy { .. });
        let silent_since = match trouble {
            // Of the authority nothing was heard meanwhile.
            Trouble::Full(_) | Trouble::Ours(_) | Trouble::NotSet(_) => order.silent_since,
            _ => silent.then(|| order.silent_since.unwrap_or(now)),
        };
        let silent = silent_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        // It is its authority that is left, and so only for not having heard from it.
        let is_unheard = matches!(trouble, Trouble::Silent(_) | Trouble::Busy { .. });
        let gave_up = is_unheard && silent >= PATIENCE;
        let pause = pace::pause(trouble, refusals, silent, now);
        let later = Later {
            at: now.saturating_add(pause).unwrap_or(now),
            refusals,
            silent_since,
            failure: &trouble.to_string(),
            known: order.url.as_deref(),
            anew: refused
                || matches!(trouble, Trouble::Gone(_))
                || (gave_up && self.settings.authorities.len() > 1),
        };
        let mut conn = self.db.acquire().await?;
        table::later(&mut conn, order.id, &later).await
    }

    /// Whom an order is at, or is to be given to: where one does not answer, the next.
    fn authority(&self, order: &Order, now: Timestamp) -> Result<&Authority, Trouble> {
        let all = &self.settings.authorities;
        let named = order.authority.as_ref().map(|name| all.iter().find(|it| it.name == *name));
        if let Some(named) = named {
            return named
                .ok_or_else(|| Trouble::Gone("its authority is not in the settings".to_owned()));
        }
        let silent =
            order.silent_since.map_or(SignedDuration::ZERO, |since| now.duration_since(since));
        all.get(pace::whose_turn(silent, all.len()))
            .ok_or_else(|| Trouble::Ours("there is no authority in the settings".to_owned()))
    }

    async fn advance(&self, order: &mut Order) -> Result<(), Trouble> {
        let now = self.clock.now();
        let authority = self.authority(order, now)?;
        self.is_asked(authority)?;
        let done = self.at(order, authority, now).await;
        match &done {
            Err(Trouble::Silent(_)) => {
                self.silences().unheard(&authority.name, order.id, self.clock.now());
            }
            // Nobody asked it.
            Err(Trouble::Ours(_) | Trouble::Full(_) | Trouble::NotSet(_)) => {}
            _ => self.silences().heard(&authority.name),
        }
        done
    }

    async fn at(
        &self,
        order: &mut Order,
        authority: &Authority,
        now: Timestamp,
    ) -> Result<(), Trouble> {
        let account = self.accounts.at(authority, now).await.map_err(|none| none.why)?;
        // Others may have waited for it meanwhile, and heard nothing.
        self.is_asked(authority)?;
        let done = self.with(order, authority, &account).await;
        if let Err(Trouble::NoAccount(_)) = &done {
            self.accounts.lost(&authority.name).await?;
        }
        done
    }

    /// Not while it is left alone.
    fn is_asked(&self, authority: &Authority) -> Result<(), Trouble> {
        if self.silences().is_silent(&authority.name, self.clock.now()) {
            let why = format!("{} has not answered of late, and is left alone", authority.name);
            return Err(Trouble::Silent(why));
        }
        Ok(())
    }

    fn silences(&self) -> MutexGuard<'_, Silences> {
        self.silences.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn with(
        &self,
        order: &mut Order,
        authority: &Authority,
        account: &Account,
    ) -> Result<(), Trouble> {
        let mut remote = match &order.url {
            Some(url) => again!(account.order(url.clone()))?,
            None => self.give(order, authority, account).await?,
        };
        if remote.state().status == OrderStatus::Pending {
            self.prove(order, &mut remote).await?;
        }
        if remote.state().status == OrderStatus::Ready {
            // A renewal that names what it replaces costs nothing.
            if remote.state().replaces.is_none() {
                self.count_certificate(order, authority).await?;
            }
            again!(remote.finalize_csr(&order.csr))?;
        }
        let pem = match again!(remote.poll_certificate(&self.settings.polls)) {
            // It stays so for ever, whatever it is that went wrong.
            Err(_) if remote.state().status == OrderStatus::Invalid => {
                return Err(why(&mut remote).await);
            }
            done => done?,
        };
        let chain = Chain::read(pem, &order.name, &public_key(&order.csr)?)
            .map_err(|useless| Trouble::Refused(useless.to_string()))?;
        let mut tx = self.db.begin().await?;
        let is_ours =
            table::store(&mut tx, order, &authority.name, &chain, self.clock.now()).await?;
        tx.commit().await?;
        if let Some((editor, at)) = self.proven_by_text(&order.name).filter(|_| is_ours) {
            // What stays proves nothing to anybody, and is replaced the next time.
            if let Err(error) = editor.clear(&at).await {
                tracing::info!(name = order.name, %error, "what proved it stays");
            }
        }
        Ok(())
    }

    /// Who sets what proves a name, and where; none for names that are proven by their edge.
    fn proven_by_text(&self, name: &str) -> Option<(&dyn Editor, String)> {
        let own = self.settings.own.as_ref().filter(|own| own.wildcard() == name)?;
        Some((&*own.editor, format!("_acme-challenge.{}", own.domain)))
    }

    /// Gives the order to an authority.
    async fn give(
        &self,
        order: &mut Order,
        authority: &Authority,
        account: &Account,
    ) -> Result<instant_acme::Order, Trouble> {
        let names = [Identifier::Dns(order.name.clone())];
        let plain = || {
            let new = NewOrder::new(&names);
            match &authority.profile {
                Some(profile) => new.profile(profile),
                None => new,
            }
        };
        if let Some((key, serial)) = order.replaces.as_deref().and_then(|it| it.split_once('.')) {
            let replaced = CertificateIdentifier {
                authority_key_identifier: key.into(),
                serial: serial.into(),
            };
            match again!(account.new_order(&plain().replaces(replaced.clone()))) {
                // What another authority gave cannot be replaced here, and some know no renewals.
                Err(Trouble::Gone(_) | Trouble::Refused(_) | Trouble::NoRenewal(_)) => {}
                made => return self.given(order, authority, made?).await,
            }
        }
        // The one that is far away first: nobody holds a place in the queue of all meanwhile.
        self.turn(order, authority, Queue::Certificate).await?;
        self.turn(order, authority, Queue::Order).await?;
        // Before it hears of it: its answer may be lost, and it counts all the same.
        self.count_order(order, authority).await?;
        let made = again!(account.new_order(&plain()))?;
        self.given(order, authority, made).await
    }

    /// Writes down where the order is.
    async fn given(
        &self,
        order: &mut Order,
        authority: &Authority,
        made: instant_acme::Order,
    ) -> Result<instant_acme::Order, Trouble> {
        let mut conn = self.db.acquire().await?;
        if table::given(&mut conn, order.id, &authority.name, made.url()).await? {
            order.url = Some(made.url().to_owned());
            return Ok(made);
        }
        // Another run gave it away first: this one is never finalized.
        Err(Trouble::Busy { why: "it is under way already".to_owned(), after: None })
    }

    /// Answers what the authority wants to see, and waits until it has.
    async fn prove(&self, order: &Order, remote: &mut instant_acme::Order) -> Result<(), Trouble> {
        let mut left = NONCES;
        loop {
            let mut authorizations = remote.authorizations();
            let failed = loop {
                match authorizations.next().await {
                    None => break None,
                    Some(Err(error)) => break Some(error),
                    Some(Ok(authorization)) => self.answer(order, authorization).await?,
                }
            };
            match failed {
                None => break,
                Some(error) if is_bad_nonce(&error) && left > 0 => left -= 1,
                Some(error) => return Err(error.into()),
            }
        }
        match again!(remote.poll_ready(&self.settings.polls)) {
            _ if remote.state().status == OrderStatus::Invalid => Err(why(remote).await),
            done => done.map(drop),
        }
    }

    async fn answer(
        &self,
        order: &Order,
        mut authorization: AuthorizationHandle<'_>,
    ) -> Result<(), Trouble> {
        if authorization.status != AuthorizationStatus::Pending {
            return Ok(());
        }
        let by_text = self.proven_by_text(&order.name);
        let kinds =
            if by_text.is_some() { &[ChallengeType::Dns01][..] } else { proofs(order.refusals) };
        let offers = |kind: &ChallengeType| {
            authorization.challenges.iter().any(|challenge| challenge.r#type == *kind)
        };
        let kind = kinds.iter().find(|kind| offers(kind)).cloned();
        let Some(mut challenge) = kind.and_then(|kind| authorization.challenge(kind)) else {
            let why = format!("the authority offers none of the proofs {kinds:?}");
            return Err(Trouble::Refused(why));
        };
        let text = challenge.key_authorization();
        if let Some((editor, at)) = by_text {
            let set = editor.set(&at, &text.dns_value()).await;
            set.map_err(|not_set| Trouble::NotSet(not_set.to_string()))?;
        } else {
            let until = self.clock.now() + ANSWERED;
            let mut conn = self.db.acquire().await?;
            let token = challenge.token.clone();
            table::put_answer(&mut conn, &token, &order.name, text.as_str(), until).await?;
        }
        match again!(challenge.set_ready()) {
            // It was told so before, and the answer was lost: how the order stands says more.
            Err(Trouble::Refused(_) | Trouble::Gone(_)) => Ok(()),
            told => told,
        }
    }
}

/// How a name is proven: over plain HTTP, and where that was refused by TLS, in turns. Some have one
/// of the two ports closed.
fn proofs(refusals: u8) -> &'static [ChallengeType] {
    if refusals.is_multiple_of(2) {
        &[ChallengeType::Http01, ChallengeType::TlsAlpn01]
    } else {
        &[ChallengeType::TlsAlpn01, ChallengeType::Http01]
    }
}

/// What the authority has to say about an order that it refused.
async fn why(remote: &mut instant_acme::Order) -> Trouble {
    let own = remote.state().error.as_ref().map(Trouble::from);
    let mut authorizations = remote.authorizations();
    while let Some(Ok(authorization)) = authorizations.next().await {
        let problem =
            authorization.challenges.iter().find_map(|challenge| challenge.error.as_ref());
        if let Some(problem) = problem {
            return Trouble::Refused(Trouble::from(problem).to_string());
        }
    }
    Trouble::Refused(own.map_or_else(
        || "the authority refused the order and said no more".to_owned(),
        |own| own.to_string(),
    ))
}

/// The public key that a request is about.
fn public_key(csr: &[u8]) -> Result<Vec<u8>, Trouble> {
    let csr = CertificateSigningRequestDer::from(csr);
    let params = CertificateSigningRequestParams::from_der(&csr)
        .map_err(|error| Trouble::Ours(error.to_string()))?;
    Ok(params.public_key.subject_public_key_info())
}
