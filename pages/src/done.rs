//! What can be told at the top of the page that follows a form: sentences of a fixed list, so that
//! neither an address nor a cookie can put words on a page.

/// The list of a server: an enum of what was done, each with its name, as a cookie has it, and its
/// sentence.
#[macro_export]
macro_rules! done {
    ($($name:ident $value:literal $text:literal),* $(,)?) => {
        /// Something that was done.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Done {
            $(#[doc = $text] $name,)*
        }

        impl Done {
            /// Everything that can be told.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $value,)* }
            }

            /// The one of this name.
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|done| done.name() == name)
            }

            /// As people read it, at the top of a page.
            pub fn flash(self) -> $crate::Flash {
                $crate::Flash::success(match self { $(Self::$name => $text,)* })
            }
        }
    };
}

#[cfg(test)]
mod tests {
    crate::done! {
        Saved "saved" "It is saved.",
        Deleted "deleted" "It is deleted.",
    }

    #[test]
    fn what_is_told_is_one_of_our_sentences() {
        for done in Done::ALL {
            assert_eq!(Done::named(done.name()), Some(*done));
        }
        assert_eq!(Done::Saved.flash().text, "It is saved.");
        for name in ["", "Saved", "Send money", "<b>"] {
            assert_eq!(Done::named(name), None, "{name}");
        }
    }
}
