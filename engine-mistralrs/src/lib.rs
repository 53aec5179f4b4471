//! engine-mistralrs
