//! What was used: each answer for ever, and the sums of each day.

use std::collections::BTreeMap;

use blueprint::Currency;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff_sqlx::ToSqlx as _;
use sqlx::PgConnection;
use usage::{Event, Micros, Outcome, Tokens, day_of};
use uuid::Uuid;

use crate::domain::id::{ModelServerId, OrganizationId, PlatformId};
use crate::domain::usage::Days;

/// What was used on one day of one model, in one currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Used {
    /// The day, in UTC.
    pub day: Date,
    /// The model.
    pub model: String,
    /// What its price is in.
    pub currency: Currency,
    /// Answers that ended well, or that somebody left.
    pub answers: u64,
    /// Answers that failed, and cost nothing.
    pub failed: u64,
    /// Of those that did not fail.
    pub tokens: Tokens,
    /// What they cost.
    pub cost: Micros,
}

/// A record that is new, and the platform that it is of.
pub type Told<'a> = (&'a Event, Option<PlatformId>);

/// So many are stored with one statement, which has its bound in time.
const AT_ONCE: usize = 2_000;

/// Takes in what is not known yet; the ids of those, each with its platform, where it was one's when the
/// answer began: names are used again, and records may be days late. They are stored in the order of their
/// ids, so that nobody waits for somebody who waits for them.
///
/// # Errors
/// The database.
pub async fn add(
    conn: &mut PgConnection,
    events: &BTreeMap<Uuid, &Event>,
    told_by: ModelServerId,
    now: Timestamp,
) -> sqlx::Result<Vec<(Uuid, Option<PlatformId>)>> {
    let all: Vec<&Event> = events.values().copied().collect();
    let mut new = Vec::new();
    for some in all.chunks(AT_ONCE) {
        new.extend(add_some(conn, some, told_by, now).await?);
    }
    Ok(new)
}

async fn add_some(
    conn: &mut PgConnection,
    events: &[&Event],
    told_by: ModelServerId,
    now: Timestamp,
) -> sqlx::Result<Vec<(Uuid, Option<PlatformId>)>> {
    let all = Columns::of(events.iter().copied());
    let new = sqlx::query!(
        r#"insert into control.usage_event
               (id, tenant, platform, person, agent, model, request, prompt_tokens, cached_tokens,
                completion_tokens, cost, currency, holding, outcome, started_at, ended_at, told_by, taken_in_at)
           select new.id, new.tenant, platform.id, new.person, new.agent, new.model, new.request,
                  new.prompt_tokens, new.cached_tokens, new.completion_tokens, new.cost, new.currency,
                  new.holding, new.outcome, new.started_at, new.ended_at, $16, $17
           from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                       $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::uuid[], $13::text[],
                       $14::timestamptz[], $15::timestamptz[])
               as new (id, tenant, person, agent, model, request, prompt_tokens, cached_tokens,
                       completion_tokens, cost, currency, holding, outcome, started_at, ended_at)
           left join control.platform
               on platform.name = new.tenant and platform.gone_at is null and platform.found is null
                  and coalesce(platform.claimed_at, platform.created_at) <= new.started_at
           order by new.id
           on conflict (id) do nothing
           returning id, platform"#,
        &all.ids,
        &all.tenants,
        &all.people,
        &all.agents,
        &all.models,
        &all.requests,
        &all.prompt,
        &all.cached,
        &all.completion,
        &all.costs,
        &all.currencies,
        &all.holdings as _,
        &all.outcomes,
        &all.started as _,
        &all.ended as _,
        told_by.0,
        now.to_sqlx(),
    );
    let new = new.fetch_all(conn).await?.into_iter();
    Ok(new.map(|row| (row.id, row.platform.map(PlatformId))).collect())
}

/// Of these, which are known, those whose content is another one than was told first.
///
/// # Errors
/// The database.
pub async fn torn(conn: &mut PgConnection, known: &[&Event]) -> sqlx::Result<Vec<Uuid>> {
    let mut torn = Vec::new();
    for some in known.chunks(AT_ONCE) {
        torn.extend(torn_of_some(conn, some).await?);
    }
    Ok(torn)
}

async fn torn_of_some(conn: &mut PgConnection, known: &[&Event]) -> sqlx::Result<Vec<Uuid>> {
    let all = Columns::of(known.iter().copied());
    let torn = sqlx::query_scalar!(
        r#"select old.id
           from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                       $8::bigint[], $9::bigint[], $10::bigint[], $11::text[], $12::uuid[], $13::text[],
                       $14::timestamptz[], $15::timestamptz[])
               as new (id, tenant, person, agent, model, request, prompt_tokens, cached_tokens,
                       completion_tokens, cost, currency, holding, outcome, started_at, ended_at)
           join control.usage_event old on old.id = new.id
           where (old.tenant, old.person, old.agent, old.model, old.request, old.prompt_tokens,
                  old.cached_tokens, old.completion_tokens, old.cost, old.currency, old.holding,
                  old.outcome, old.started_at, old.ended_at)
               is distinct from
                 (new.tenant, new.person, new.agent, new.model, new.request, new.prompt_tokens,
                  new.cached_tokens, new.completion_tokens, new.cost, new.currency, new.holding,
                  new.outcome, new.started_at, new.ended_at)"#,
        &all.ids,
        &all.tenants,
        &all.people,
        &all.agents,
        &all.models,
        &all.requests,
        &all.prompt,
        &all.cached,
        &all.completion,
        &all.costs,
        &all.currencies,
        &all.holdings as _,
        &all.outcomes,
        &all.started as _,
        &all.ended as _,
    );
    torn.fetch_all(conn).await
}

/// Adds these to the sums of their days.
///
/// # Errors
/// The database.
pub async fn sum_up(conn: &mut PgConnection, new: &[Told<'_>]) -> sqlx::Result<()> {
    // In one order, so that nobody waits for somebody who waits for them.
    let mut sums: BTreeMap<(Uuid, Date, &str, Currency), Sum> = BTreeMap::new();
    for (event, platform) in new {
        let Some(platform) = platform else { continue };
        let of = (platform.0, day_of(event.ended_at), event.model.as_str(), event.currency);
        sums.entry(of).or_default().add(event);
    }
    if sums.is_empty() {
        return Ok(());
    }
    let platforms: Vec<_> = sums.keys().map(|key| key.0).collect();
    let days: Vec<_> = sums.keys().map(|key| key.1.to_string()).collect();
    let models: Vec<_> = sums.keys().map(|key| key.2.to_owned()).collect();
    let currencies: Vec<_> = sums.keys().map(|key| key.3.to_string()).collect();
    let column = |of: fn(&Sum) -> u64| sums.values().map(|it| bounded(of(it))).collect::<Vec<_>>();
    sqlx::query!(
        r#"insert into control.usage_day as known
               (platform, day, model, currency, answers, failed, prompt_tokens, cached_tokens,
                completion_tokens, cost)
           select platform, day::date, model, currency, answers, failed, prompt, cached, completion, cost
           from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[],
                       $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[])
               with ordinality as new (platform, day, model, currency, answers, failed, prompt, cached,
                                       completion, cost, place)
           order by place
           on conflict (platform, day, model, currency) do update set
               answers = known.answers + excluded.answers,
               failed = known.failed + excluded.failed,
               prompt_tokens = known.prompt_tokens + excluded.prompt_tokens,
               cached_tokens = known.cached_tokens + excluded.cached_tokens,
               completion_tokens = known.completion_tokens + excluded.completion_tokens,
               cost = known.cost + excluded.cost"#,
        &platforms,
        &days,
        &models,
        &currencies,
        &column(|it| it.answers),
        &column(|it| it.failed),
        &column(|it| it.tokens.prompt),
        &column(|it| it.tokens.cached),
        &column(|it| it.tokens.completion),
        &column(|it| it.cost.get()),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// So many models are told apart, those that cost most: whoever names models could name any number.
const MODELS: i64 = 24;

/// What a platform used on these days, day by day and model by model.
///
/// # Errors
/// The database.
pub async fn of_platform(
    conn: &mut PgConnection,
    platform: PlatformId,
    days: Days,
) -> sqlx::Result<Vec<Used>> {
    let rows = sqlx::query_as!(
        Row,
        r#"with used as (
               select * from control.usage_day where platform = $1 and day between $2 and $3
           ), shown as (
               select model, currency from used group by model, currency
               order by sum(cost) desc, model, currency limit $4
           )
           select used.day as "day!", coalesce(shown.model, 'others') as "model!",
                  used.currency as "currency!",
                  least(sum(used.answers), 9223372036854775807)::bigint as "answers!",
                  least(sum(used.failed), 9223372036854775807)::bigint as "failed!",
                  least(sum(used.prompt_tokens), 9223372036854775807)::bigint as "prompt!",
                  least(sum(used.cached_tokens), 9223372036854775807)::bigint as "cached!",
                  least(sum(used.completion_tokens), 9223372036854775807)::bigint as "completion!",
                  least(sum(used.cost), 9223372036854775807)::bigint as "cost!"
           from used left join shown using (model, currency)
           group by 1, 2, 3
           order by 1, 2, 3"#,
        platform.0,
        days.from.to_sqlx(),
        days.to.to_sqlx(),
        MODELS,
    );
    rows.fetch_all(conn).await?.into_iter().map(Used::try_from).collect()
}

/// The same of all platforms that are or were an organization's.
///
/// # Errors
/// The database.
pub async fn of_organization(
    conn: &mut PgConnection,
    organization: OrganizationId,
    days: Days,
) -> sqlx::Result<Vec<Used>> {
    let rows = sqlx::query_as!(
        Row,
        r#"with used as (
               select * from control.usage_day
               where platform in (select id from control.platform where organization = $1)
                 and day between $2 and $3
           ), shown as (
               select model, currency from used group by model, currency
               order by sum(cost) desc, model, currency limit $4
           )
           select used.day as "day!", coalesce(shown.model, 'others') as "model!",
                  used.currency as "currency!",
                  least(sum(used.answers), 9223372036854775807)::bigint as "answers!",
                  least(sum(used.failed), 9223372036854775807)::bigint as "failed!",
                  least(sum(used.prompt_tokens), 9223372036854775807)::bigint as "prompt!",
                  least(sum(used.cached_tokens), 9223372036854775807)::bigint as "cached!",
                  least(sum(used.completion_tokens), 9223372036854775807)::bigint as "completion!",
                  least(sum(used.cost), 9223372036854775807)::bigint as "cost!"
           from used left join shown using (model, currency)
           group by 1, 2, 3
           order by 1, 2, 3"#,
        organization.0,
        days.from.to_sqlx(),
        days.to.to_sqlx(),
        MODELS,
    );
    rows.fetch_all(conn).await?.into_iter().map(Used::try_from).collect()
}

/// As much as the database's whole numbers hold; nobody used more.
fn bounded(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Events as the database takes them, column by column.
#[derive(Default)]
struct Columns {
    ids: Vec<Uuid>,
    tenants: Vec<String>,
    people: Vec<String>,
    agents: Vec<String>,
    models: Vec<String>,
    requests: Vec<String>,
    prompt: Vec<i64>,
    cached: Vec<i64>,
    completion: Vec<i64>,
    costs: Vec<i64>,
    currencies: Vec<String>,
    holdings: Vec<Option<Uuid>>,
    outcomes: Vec<String>,
    started: Vec<jiff_sqlx::Timestamp>,
    ended: Vec<jiff_sqlx::Timestamp>,
}

impl Columns {
    fn of<'a>(events: impl Iterator<Item = &'a Event>) -> Self {
        let mut all = Self::default();
        for event in events {
            all.ids.push(event.id);
            all.tenants.push(event.tenant.clone());
            all.people.push(event.user.clone());
            all.agents.push(event.agent.clone());
            all.models.push(event.model.clone());
            all.requests.push(event.request.clone());
            all.prompt.push(bounded(event.tokens.prompt));
            all.cached.push(bounded(event.tokens.cached));
            all.completion.push(bounded(event.tokens.completion));
            all.costs.push(bounded(event.cost.get()));
            all.currencies.push(event.currency.to_string());
            all.holdings.push(event.holding);
            all.outcomes.push(word(event.outcome).to_owned());
            all.started.push(event.started_at.to_sqlx());
            all.ended.push(event.ended_at.to_sqlx());
        }
        all
    }
}

fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Finished => "finished",
        Outcome::Cancelled => "cancelled",
        Outcome::Failed => "failed",
    }
}

#[derive(Default)]
struct Sum {
    answers: u64,
    failed: u64,
    tokens: Tokens,
    cost: Micros,
}

impl Sum {
    fn add(&mut self, event: &Event) {
        self.cost = self.cost.plus(event.cost);
        if event.outcome == Outcome::Failed {
            self.failed += 1;
            return;
        }
        self.answers += 1;
        let Tokens { prompt, cached, completion } = event.tokens;
        self.tokens = Tokens {
            prompt: self.tokens.prompt.saturating_add(prompt),
            cached: self.tokens.cached.saturating_add(cached),
            completion: self.tokens.completion.saturating_add(completion),
        };
    }
}

struct Row {
    day: jiff_sqlx::Date,
    model: String,
    currency: String,
    answers: i64,
    failed: i64,
    prompt: i64,
    cached: i64,
    completion: i64,
    cost: i64,
}

impl TryFrom<Row> for Used {
    type Error = sqlx::Error;

    fn try_from(row: Row) -> sqlx::Result<Self> {
        let [answers, failed, prompt, cached, completion, cost] =
            [row.answers, row.failed, row.prompt, row.cached, row.completion, row.cost]
                .map(|number| u64::try_from(number).unwrap_or_default());
        Ok(Self {
            day: row.day.to_jiff(),
            model: row.model,
            currency: row.currency.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?,
            answers,
            failed,
            tokens: Tokens { prompt, cached, completion },
            cost: Micros::new(cost),
        })
    }
}
