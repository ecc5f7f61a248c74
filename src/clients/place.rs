//! Where a client's file is on this machine.

use std::path::PathBuf;

use super::ConfigFolder;

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a place begins with.
const HOME: &str = "~/";
const CONFIG: &str = "$CONFIG/";
const APPS: &str = "$APPS/";

/// Which of a place's paths counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Platform {
    Linux,
    Mac,
    Windows,
}

impl Platform {
    fn here() -> Self {
        if cfg!(windows) {
            Self::Windows
        } else if cfg!(target_os = "macos") {
            Self::Mac
        } else {
            Self::Linux
        }
    }
}

impl ConfigFolder {
    /// The file; the other name of it where that one alone is there.
    pub(super) fn path(&self, env: Environment<'_>) -> Option<PathBuf> {
        let path = self.on(Platform::here(), env)?;
        let other = self.or.map(|name| path.with_file_name(name));
        Some(other.filter(|other| other.exists() && !path.exists()).unwrap_or(path))
    }

    fn on(&self, platform: Platform, env: Environment<'_>) -> Option<PathBuf> {
        let folder = |name: &str| env(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if let Some((variable, name)) = self.moved
            && let Some(moved) = folder(variable)
        {
            return Some(moved.join(name));
        }
        let home = || {
            let usual = || directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_owned());
            folder("HOME").or_else(usual)
        };
        let config = || folder("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")));
        let path = match platform {
            Platform::Linux => self.linux,
            Platform::Mac => self.macos,
            Platform::Windows => self.windows,
        };
        if let Some(rest) = path.strip_prefix(HOME) {
            return Some(home()?.join(rest));
        }
        if let Some(rest) = path.strip_prefix(CONFIG) {
            return Some(config()?.join(rest));
        }
        let rest = path.strip_prefix(APPS)?;
        let apps = match platform {
            Platform::Linux => config(),
            Platform::Mac => Some(home()?.join("Library/Application Support")),
            Platform::Windows => {
                folder("APPDATA").or_else(|| Some(home()?.join("AppData").join("Roaming")))
            }
        };
        Some(apps?.join(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Client;
    use super::*;

    fn on(client: &str, platform: Platform, variables: &[(&str, &str)]) -> String {
        let env = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let place = Client::named(client).unwrap().user.unwrap();
        place.on(platform, &env).unwrap().to_string_lossy().into_owned()
    }

    #[test]
    fn each_platform_has_its_place() {
        let home = [("HOME", "/h")];
        for (client, platform, path) in [
            ("claude-code", Platform::Linux, "/h/.claude.json"),
            ("claude", Platform::Mac, "/h/.claude.json"),
            ("claude-desktop", Platform::Linux, "/h/.config/Claude/claude_desktop_config.json"),
            (
                "claude-desktop",
                Platform::Mac,
                "/h/Library/Application Support/Claude/claude_desktop_config.json",
            ),
            (
                "claude-desktop",
                Platform::Windows,
                "/h/AppData/Roaming/Claude/claude_desktop_config.json",
            ),
            ("vscode", Platform::Linux, "/h/.config/Code/User/mcp.json"),
            ("vscode", Platform::Mac, "/h/Library/Application Support/Code/User/mcp.json"),
            ("zed", Platform::Mac, "/h/.config/zed/settings.json"),
            ("zed", Platform::Windows, "/h/AppData/Roaming/Zed/settings.json"),
            ("opencode", Platform::Mac, "/h/.config/opencode/opencode.json"),
        ] {
            assert_eq!(on(client, platform, &home), path, "{client} on {platform:?}");
        }
    }

    #[test]
    fn a_variable_moves_a_file_only_where_it_names_a_folder() {
        let codex = |value| on("codex", Platform::Linux, &[("HOME", "/h"), ("CODEX_HOME", value)]);
        assert_eq!(codex("/c"), "/c/config.toml");
        assert_eq!(codex("c"), "/h/.codex/config.toml");
        let moved = [("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")];
        assert_eq!(on("zed", Platform::Linux, &moved), "/x/zed/settings.json");
        let windows = [("HOME", "/h"), ("APPDATA", "/a")];
        assert_eq!(on("vscode", Platform::Windows, &windows), "/a/Code/User/mcp.json");
    }
}
