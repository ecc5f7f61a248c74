use super::Ran;
pub(super) async fn run() -> Ran { Ok(std::process::ExitCode::SUCCESS) }
