//! The CAM API 3.0 and STS over HTTP.

mod description;
