//! What every page of our servers is made of: the template engine, the layout and its parts,
//! a brand's colours, the style sheet, the script components, and Markdown made safe.
//!
//! No page of a particular server lives here. A server brings its own templates and contexts,
//! wraps a context in [`Page`], and renders it with its [`Engine`]. `README.md` shows the
//! markup that the style sheet knows.
//!
//! Two rules hold everywhere. Templates are ours alone: what people write reaches a page as
//! data, escaped, or as [`Html`] that went through the sanitiser. And every page works without
//! scripts, under a policy that allows no inline script and no inline style.

pub mod assets;
pub mod brand;
pub mod color;
mod done;
pub mod engine;
pub mod html;
pub mod markdown;
pub mod markup;
pub mod page;
pub mod parts;
#[cfg(test)]
mod readme;
mod sentence;

pub use assets::{Asset, assets};
pub use brand::{Brand, BrandInput, BrandView, ContrastProblem, Font, Shades, Theme};
pub use color::{Color, contrast};
pub use engine::{BuildError, Engine, RenderError, Sample};
pub use html::Html;
pub use page::{Flash, Kind, NavItem, Page, Person};
pub use sentence::sentence;
