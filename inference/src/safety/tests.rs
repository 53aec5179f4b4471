use std::sync::{Arc, LazyLock};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::engine::{
    Chance, Engine, EngineError, Job, Message, Meter, Piece, Prompt, Reason, Role, TokenChances,
    TokenStream, token_stream,
};
use crate::simulator::{SIMULATED_MODEL, Simulator};

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new().unwrap());

/// An answer that no level shows, cut into bits of `size` characters.
fn told(level: Level, answer: &str, size: usize) -> (String, Option<Category>) {
    let mut filter = RULES.filter(level);
    let chars: Vec<char> = answer.chars().collect();
    let mut shown = String::new();
    let bits = chars.chunks(size).map(String::from_iter).map(Some).chain([None]);
    for bit in bits {
        let checked = match bit {
            Some(bit) => filter.push(&bit),
            None => filter.rest(),
        };
        match checked {
            Checked::More(text) => shown.push_str(&text),
            Checked::Blocked(text, category) => return (shown + &text, Some(category)),
        }
    }
    (shown, None)
}

#[test]
fn what_is_shown_does_not_depend_on_the_cuts() {
    for (answer, shown, category) in [
        ("A plain answer, how to make a cake.", "A plain answer, how to make a cake.", None),
        ("Fine: you should kill yourself now.", "Fine: ", Some(Category::SelfHarm)),
        ("Fine, k y s and more", "Fine, ", Some(Category::SelfHarm)),
        ("They said women are all vermin, so", "They said ", Some(Category::Hate)),
        ("The card is 4111 1111 1111 1111.", "The card is ", Some(Category::PersonalData)),
        ("Ends with 4111111111111111", "Ends with ", Some(Category::PersonalData)),
        ("Number 4111 1111 1111 1112.", "Number 4111 1111 1111 1112.", None),
        ("Y\u{200b}ou sh0uld k\u{200b}ill yourself!", "", Some(Category::SelfHarm)),
    ] {
        for size in 1..=answer.chars().count() {
            for level in [Level::Moderate, Level::Maximum] {
                let found = told(level, answer, size);
                assert_eq!(found, (shown.to_owned(), category), "{level:?} by {size}: {answer}");
            }
        }
    }
}

#[test]
fn words_within_words_are_not_seen_wherever_they_are_cut() {
    let answer = "Essex, Scunthorpe, assessment, analysis, Dickens, cocktail and titration.";
    for size in 1..20 {
        let found = told(Level::Maximum, answer, size);
        assert_eq!(found, (answer.to_owned(), None), "by {size}");
    }
}

#[test]
fn plain_text_waits_for_a_few_words_at_most() {
    let answer = "The first thing to know is that a good stew takes time: you brown the meat, you \
                  add onions, carrots and stock, and then you let it go for three hours. Serve \
                  it to 12 people with bread, and remember to take it off the fire at 8.";
    let mut filter = RULES.filter(Level::Moderate);
    let mut behind = Vec::new();
    let (mut pushed, mut shown) = (0, 0);
    for word in answer.split_inclusive(' ') {
        pushed += word.len();
        match filter.push(word) {
            Checked::More(text) => shown += text.len(),
            Checked::Blocked(text, category) => panic!("{text} {category:?}"),
        }
        behind.push(pushed - shown);
    }
    let waiting = behind.iter().filter(|behind| **behind > 0).count();
    assert!(behind[0] <= "The ".len(), "the first word: {behind:?}");
    assert!(waiting * 2 < behind.len(), "{waiting} of {} words wait: {behind:?}", behind.len());
    assert!(behind.iter().all(|behind| *behind < 60), "{behind:?}");
}

#[test]
fn at_the_highest_level_sentences_come_whole_and_long_ones_in_windows() {
    let mut filter = RULES.filter(Level::Maximum);
    assert_eq!(filter.push("One sentence. And "), Checked::More("One sentence. ".to_owned()));
    assert_eq!(filter.push("half"), Checked::More(String::new()));
    assert!(filter.is_holding());
    assert_eq!(filter.overdue(), Checked::More("And half".to_owned()));
    let Checked::More(shown) = filter.push(&" words".repeat(40)) else { panic!() };
    assert!(shown.len() > 200, "{shown}");
}

#[test]
fn all_that_people_said_is_checked_and_nothing_else() {
    let say = |role, content: &str| Message { role, content: content.to_owned() };
    let bad = "how to make a bomb";
    let verdict = |messages: Vec<Message>| RULES.prompt(Level::Moderate, &Prompt::Chat(messages));
    let refused = Verdict::Refuse(Category::Weapons);
    assert_eq!(verdict(vec![say(Role::User, bad)]), refused);
    assert_eq!(verdict(vec![say(Role::User, bad), say(Role::User, "please")]), refused);
    let told_in_two = vec![
        say(Role::User, "how to make"),
        say(Role::Assistant, "What?"),
        say(Role::User, "a bomb"),
    ];
    assert_eq!(verdict(told_in_two), refused);
    assert_eq!(
        verdict(vec![say(Role::System, "Say how to make a bomb is forbidden")]),
        Verdict::Allow
    );
    let mut long = vec![say(Role::User, bad)];
    long.extend((0..250).map(|_| say(Role::User, "hello")));
    assert_eq!(verdict(long), refused, "however much comes after it");
    assert_eq!(RULES.prompt(Level::Moderate, &Prompt::Text(bad.to_owned())), refused);
    assert_eq!(RULES.answer(Level::Moderate, "The bomb was made in 1945."), Verdict::Allow);
}

#[test]
fn who_is_refused_is_told_why_and_where_to_find_help() {
    for category in Category::ALL {
        let problem = category.problem();
        assert_eq!(problem.code, "refused-by-safety");
        assert_eq!(Category::named(category.name()), Some(category));
    }
    assert!(Category::SelfHarm.message().contains("helpline"));
    assert!(Level::ALL.iter().all(|level| Level::named(level.name()) == Some(*level)));
}

#[test]
fn long_and_odd_texts_take_time_in_proportion() {
    for text in [
        "how to ".repeat(70_000),
        "a ".repeat(250_000),
        "4".repeat(500_000),
        "\u{200b}".repeat(160_000),
        "make a ".repeat(70_000) + "bom",
        "-".repeat(500_000),
        "AA00 ".repeat(100_000),
        "4111 1111 1111 1112 ".repeat(25_000),
    ] {
        let begun = std::time::Instant::now();
        RULES.prompt(Level::Maximum, &Prompt::Text(text));
        assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}

/// Says its words with their chances, one each second.
struct Chatty(&'static str);

#[async_trait]
impl Engine for Chatty {
    fn models(&self) -> Vec<crate::engine::ModelCard> {
        Simulator::echo().models()
    }

    fn room(&self) -> tokio::sync::watch::Receiver<usize> {
        Simulator::echo().room()
    }

    async fn generate(&self, _: Job, meter: Meter) -> Result<TokenStream, EngineError> {
        let (out, stream) = token_stream();
        let words = self.0;
        tokio::spawn(async move {
            for word in words.split_inclusive(' ') {
                if out.is_cancelled() {
                    return out.end(Reason::Cancelled, meter.usage());
                }
                meter.made(1);
                let bytes = word.as_bytes().to_vec();
                let chosen = Chance { text: word.to_owned(), bytes, logprob: -0.5 };
                out.token(TokenChances { chosen, others: Vec::new() });
                out.text(word.to_owned());
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            out.end(Reason::Stop, meter.usage());
        });
        Ok(stream)
    }
}

struct Heard {
    text: String,
    tokens: String,
    reason: Reason,
    made: usize,
}

async fn hear(words: &'static str, level: Level, guard: Option<Arc<dyn Guard>>) -> Heard {
    let job = Job::new(SIMULATED_MODEL, Prompt::question("?"), 100);
    let stream = Chatty(words).generate(job, Meter::default()).await.unwrap();
    let mut stream = checked(stream, RULES.filter(level), guard);
    let (mut text, mut tokens) = (String::new(), String::new());
    loop {
        match stream.next().await.unwrap() {
            Piece::Text(more) => {
                text.push_str(&more);
                assert!(tokens.starts_with(&text), "{tokens:?} before {text:?}");
            }
            Piece::Token(chances) => tokens.push_str(&chances.chosen.text),
            Piece::End { reason, usage } => {
                return Heard { text, tokens, reason, made: usage.completion_tokens };
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_hits_is_stopped_with_what_it_used() {
    let heard = hear("so you should kill yourself now and then more", Level::Moderate, None).await;
    assert_eq!((heard.text.as_str(), heard.reason), ("so ", Reason::Filtered));
    assert_eq!(heard.tokens, "so ", "chances tell the text too");
    assert!((6..=7).contains(&heard.made), "{} words were made", heard.made);
}

#[tokio::test(start_paused = true)]
async fn a_fine_answer_comes_whole_with_its_chances() {
    for level in Level::ALL {
        let heard = hear("how to make a fine stew for you", level, None).await;
        assert_eq!(
            (heard.text.as_str(), heard.reason),
            ("how to make a fine stew for you", Reason::Stop)
        );
        assert_eq!((heard.tokens, heard.made), (heard.text, 8));
    }
}

#[tokio::test(start_paused = true)]
async fn a_guard_is_asked_about_each_window_before_it_is_shown() {
    let guard = |says: &str| {
        let engine = Arc::new(Simulator::saying(says));
        let model = ModelGuard::new(engine, SIMULATED_MODEL, Duration::from_secs(5));
        Some(Arc::new(model) as Arc<dyn Guard>)
    };
    let heard = hear("one two. three", Level::Moderate, guard("{\"category\":\"none\"}")).await;
    assert_eq!((heard.text.as_str(), heard.reason), ("one two. three", Reason::Stop));
    let heard = hear("one two. three", Level::Moderate, guard("{\"category\":\"hate\"}")).await;
    assert_eq!((heard.text.as_str(), heard.tokens.as_str()), ("", ""));
    assert_eq!(heard.reason, Reason::Filtered);
    let heard = hear("one two. three", Level::Maximum, guard("hm")).await;
    assert!(matches!(heard.reason, Reason::Failed(EngineError::Busy { .. })));
    assert_eq!(heard.text, "");
}

#[tokio::test(start_paused = true)]
async fn who_leaves_stops_the_work() {
    let job = Job::new(SIMULATED_MODEL, Prompt::question("?"), 100);
    let stream = Chatty("so it goes on and on").generate(job, Meter::default()).await;
    let mut stream = checked(stream.unwrap(), RULES.filter(Level::Moderate), None);
    stream.next().await.unwrap();
    stream.cancel();
    while let Some(piece) = stream.next().await {
        if let Piece::End { reason, usage } = piece {
            assert_eq!((reason, usage.completion_tokens), (Reason::Cancelled, 1));
        }
    }
}
