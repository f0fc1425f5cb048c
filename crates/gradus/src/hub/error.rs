/// Fetching a model or data set failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HubError {}
