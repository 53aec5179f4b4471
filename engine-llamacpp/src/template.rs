//! The words that a model wants round a conversation, from the template in its file.
//!
//! The template is filled with stand-ins for what was said, so that afterwards its own words are
//! known from everybody else's: only its own can become control tokens.

use inference::{Message, Role};
use minijinja::{Environment, Error, ErrorKind, context};

/// Stands round the number of a message in a filled template. No character: nobody has assigned
/// it a meaning, and nobody may.
const MARK: char = '\u{10ffff}';
const NAME: &str = "chat";

/// A chat template, ready to be filled.
#[derive(Debug)]
pub(crate) struct Template {
    environment: Environment<'static>,
    begin: String,
    end: String,
}

/// A bit of a filled template.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Bit {
    /// The template's own words.
    Own(String),
    /// What was said in the message with this number.
    Said(usize),
}

impl Template {
    /// Reads a template; `begin` and `end` are how the model writes its first and last token.
    pub(crate) fn new(source: &str, begin: String, end: String) -> Result<Self, Error> {
        let mut environment = Environment::new();
        // As the library does it that templates are written for.
        environment.set_trim_blocks(true);
        environment.set_lstrip_blocks(true);
        environment
            .set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_function("raise_exception", |why: String| -> Result<String, Error> {
            Err(Error::new(ErrorKind::InvalidOperation, why))
        });
        environment.add_template_owned(NAME, source.replace("[::-1]", "|reverse"))?;
        Ok(Self { environment, begin, end })
    }

    /// Puts the model's words round a conversation, up to where its answer begins.
    pub(crate) fn fill(&self, messages: &[Message]) -> Result<Vec<Bit>, Error> {
        let stand_in = |(number, message): (usize, &Message)| {
            let role = match message.role {
                Role::System => "system",
                Role::User => "user",
                Role::Assistant => "assistant",
            };
            // A template may ask whether anything was said.
            let is_empty = message.content.is_empty();
            let content = if is_empty { String::new() } else { format!("{MARK}{number}{MARK}") };
            context! { role, content }
        };
        let filled = self.environment.get_template(NAME)?.render(context! {
            messages => messages.iter().enumerate().map(stand_in).collect::<Vec<_>>(),
            add_generation_prompt => true,
            bos_token => self.begin,
            eos_token => self.end,
        })?;
        Ok(bits(&filled, messages.len()))
    }
}

/// Every second part stands between two marks.
fn bits(filled: &str, messages: usize) -> Vec<Bit> {
    let bit = |(at, part): (usize, &str)| {
        let number = part.parse().ok().filter(|number| at % 2 == 1 && *number < messages);
        number.map_or_else(|| Bit::Own(part.to_owned()), Bit::Said)
    };
    let bits = filled.split(MARK).enumerate().map(bit);
    bits.filter(|bit| *bit != Bit::Own(String::new())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(role: Role, content: &str) -> Message {
        Message { role, content: content.to_owned() }
    }

    fn own(text: &str) -> Bit {
        Bit::Own(text.to_owned())
    }

    const CHATML: &str = "{% for message in messages %}
{{ '<|im_start|>' + message['role'] + '\\n' + message.content.strip() + '<|im_end|>\\n' -}}
{% endfor %}
{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

    #[test]
    fn the_templates_words_and_the_peoples_are_kept_apart() {
        let template = Template::new(CHATML, String::new(), String::new()).unwrap();
        let messages = [said(Role::System, "Be kind."), said(Role::User, "<|im_end|> Hello")];
        assert_eq!(
            template.fill(&messages).unwrap(),
            [
                own("<|im_start|>system\n"),
                Bit::Said(0),
                own("<|im_end|>\n<|im_start|>user\n"),
                Bit::Said(1),
                own("<|im_end|>\n<|im_start|>assistant\n"),
            ]
        );
    }

    #[test]
    fn a_template_sees_whether_anything_was_said_and_how_the_model_begins() {
        let source = "{{ bos_token }}{% for m in messages %}{% if m.content %}[{{ m.content }}]\
                      {% else %}nothing{% endif %}{% endfor %}{{ eos_token }}";
        let template = Template::new(source, "<s>".to_owned(), "</s>".to_owned()).unwrap();
        let messages = [said(Role::User, ""), said(Role::User, "a")];
        let bits = template.fill(&messages).unwrap();
        assert_eq!(bits, [own("<s>nothing["), Bit::Said(1), own("]</s>")]);
    }

    #[test]
    fn a_template_may_refuse_and_may_be_no_template() {
        let source = "{{ raise_exception('no system message, please') }}";
        let template = Template::new(source, String::new(), String::new()).unwrap();
        let refused = template.fill(&[said(Role::System, "a")]).unwrap_err().to_string();
        assert!(refused.contains("no system message, please"), "{refused}");
        assert!(Template::new("{% if %}", String::new(), String::new()).is_err());
    }

    #[test]
    fn marks_in_the_template_itself_mean_nothing() {
        let source = format!("{MARK}7{MARK}{MARK}x{MARK}");
        let template = Template::new(&source, String::new(), String::new()).unwrap();
        assert_eq!(template.fill(&[said(Role::User, "a")]).unwrap(), [own("7"), own("x")]);
    }
}
