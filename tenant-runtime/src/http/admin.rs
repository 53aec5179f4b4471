//! The admin portal: for those who run the platform.

pub mod agents;
pub mod brand;
pub mod home;
pub mod people;
