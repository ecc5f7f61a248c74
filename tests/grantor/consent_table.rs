//! Every state that a request can be in, in each way of asking, under each kind of damage to the
//! ledger: what is sent afterwards, and whether somebody is told.

use std::path::Path;
use std::time::Duration;

use futures_util::StreamExt as _;
use grantor::approvers::key::ApproverKey;
use grantor::ledger::{Answered, Asking, Channel, Content, Decision, Ledger};
use grantor::sandbox::FaultKind;
use jiff::{SignedDuration, Timestamp};

use super::harness::{Era, World, parsed, requester};
use super::person::{Asked, Client, yes as agrees};
use super::terminal::Terminal;
use super::writes::{GRANTS, Grant};

/// Read and execute on a space: a plain yes is enough.
const PLAIN: &Grant = &GRANTS[3];
/// The ledger's key, which is kept elsewhere, and another.
const KEY: &str = "5c1a3f0e9b7d42868e13a6f2c4d7905b5c1a3f0e9b7d42868e13a6f2c4d7905b";
const OTHER_KEY: &str = "005a3f0e9b7d42868e13a6f2c4d7905b5c1a3f0e9b7d42868e13a6f2c4d7905b";
const PASSPHRASE: &str = "correct horse battery";
const AT_ONCE: usize = 3;

/// How the person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// By a server, within its session.
    Session,
    /// By a client that brings the answer with a second call.
    Modern,
    Terminal,
    Signed,
}

const WAYS: [Way; 4] = [Way::Session, Way::Modern, Way::Terminal, Way::Signed];

/// Where a request is when the ledger is damaged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Asked,
    Answered,
    /// Its yes was taken by a process that died then.
    Spent,
    /// It was sent by a process that died then.
    Opened,
    Closed,
    /// It was sent by a process that died then, and another found out what became of it.
    Found,
    Denied,
    Withdrawn,
    Lapsed,
}

const STATES: [State; 9] = [
    State::Asked,
    State::Answered,
    State::Spent,
    State::Opened,
    State::Closed,
    State::Found,
    State::Denied,
    State::Withdrawn,
    State::Lapsed,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Damage {
    None,
    /// Of the last line of the request.
    Byte,
    /// All lines after the question, or after the yes where there is one; the head stays.
    Cut,
    /// The question, or the yes where there is one, once more.
    Repeated,
    /// The last line of the request, and the one behind it.
    Swapped,
    /// It says that the request is live, and hides its last line.
    IndexEdited,
    IndexGone,
    KeyOther,
    KeyAbsent,
    /// Lines, head and index as they were when the yes was live.
    OlderCopy,
}

const DAMAGES: [Damage; 10] = [
    Damage::None,
    Damage::Byte,
    Damage::Cut,
    Damage::Repeated,
    Damage::Swapped,
    Damage::IndexEdited,
    Damage::IndexGone,
    Damage::KeyOther,
    Damage::KeyAbsent,
    Damage::OlderCopy,
];

#[derive(Clone, Copy, Debug)]
struct Cell {
    way: Way,
    state: State,
    damage: Damage,
}

/// How often it was sent, and how `grantor requests run` ended after the damage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Came {
    writes: usize,
    status: i32,
}

impl Cell {
    /// What must come of it.
    fn expected(self) -> Came {
        let Self { way, state, damage } = self;
        let sent = matches!(state, State::Opened | State::Closed | State::Found);
        // Somebody says yes after the damage, or said it before, apart from a client's call.
        let apart = matches!(way, Way::Terminal | Way::Signed);
        let has_yes = state == State::Asked || apart && state == State::Answered;
        let holds = match damage {
            Damage::None | Damage::IndexEdited | Damage::IndexGone | Damage::OlderCopy => true,
            // The server that asked has its key, whatever others are started with.
            Damage::KeyOther | Damage::KeyAbsent => way == Way::Session,
            Damage::Byte | Damage::Cut | Damage::Repeated | Damage::Swapped => false,
        };
        // The ledger as it was then is the ledger as it was then: see SECURITY.md. A session's
        // question is answered once, and what has lapsed by the clock has lapsed.
        let again = damage == Damage::OlderCopy
            && state != State::Asked
            && match way {
                Way::Session => !sent,
                Way::Modern => true,
                Way::Terminal | Way::Signed => !matches!(state, State::Answered | State::Lapsed),
            };
        let fine = [Damage::None, Damage::IndexEdited, Damage::IndexGone, Damage::OlderCopy];
        Came {
            writes: usize::from(sent) + usize::from(has_yes && holds) + usize::from(again),
            status: i32::from(!fine.contains(&damage)),
        }
    }
}

/// What a cell is played with.
struct Scene {
    world: World,
    way: Way,
    receipt: String,
    /// Whoever was asked through a client, and the question.
    client: Option<(Client, Asked)>,
    key: std::path::PathBuf,
}

impl Scene {
    /// A request that waits.
    async fn asked(way: Way) -> Self {
        let world = World::asking().await.set("GRANTOR_LEDGER_KEY", KEY);
        let key = world.path("ada.pem");
        let world = if way == Way::Signed {
            let ada = ApproverKey::generate().unwrap();
            std::fs::write(&key, ada.sealed(&PASSPHRASE.into()).unwrap()).unwrap();
            let list = world.path("approvers");
            std::fs::write(&list, format!("ada {}\n", ada.public())).unwrap();
            world.set("GRANTOR_APPROVERS", list.to_str().unwrap())
        } else {
            world
        };
        let mut client = None;
        if let Some(era) = way.era() {
            let mut asks = Client::start(&world, era).await;
            let asked = asks.question(PLAIN.tool, &parsed(PLAIN.arguments)).await;
            client = Some((asks, asked));
        } else {
            let ran = world.run(&["call", PLAIN.tool, PLAIN.arguments]).await;
            assert_eq!(ran.status, 3, "{ran:#?}");
        }
        let receipt = world.ledger()[0]["receipt"].as_str().unwrap().to_owned();
        Self { world, way, receipt, client, key }
    }

    fn ledger(&self) -> Ledger {
        let origin = grantor::secret::SecretSource::Inline(KEY.into());
        let key = grantor::secret::Secret::new("KEY", origin);
        Ledger::new(&self.world.path("state"), Some(key))
    }

    /// Records an answer as the process does that hears it.
    async fn record(&self, decision: Decision, minutes: i64) {
        let how = if self.way.era().is_some() { Channel::Elicitation } else { Channel::Terminal };
        let until = Some(Timestamp::now() + SignedDuration::from_mins(minutes));
        let (by, how, until) = match decision {
            Decision::Approved => ("root".to_owned(), how, until),
            _ => ("root".to_owned(), how, None),
        };
        let answered = Answered { until, ..Answered::new(decision, by, how) };
        self.ledger().answer(&self.receipt, &answered, &requester()).await.unwrap();
    }

    /// Says yes where somebody has the choice, and whether they had.
    async fn approves(&self, flags: &[&str]) -> bool {
        let key = self.key.to_str().unwrap();
        let mut command = vec!["requests", "approve", &self.receipt];
        if self.way == Way::Signed {
            command.extend(["--key", key]);
        }
        command.extend(flags);
        let mut terminal = Terminal::start(self.world.command(command));
        if !terminal.comes_to("Type yes to agree").await {
            return false;
        }
        terminal.types("yes").await;
        if self.way == Way::Signed {
            if !terminal.comes_to("Passphrase").await {
                return false;
            }
            terminal.types_unseen("Passphrase", PASSPHRASE).await;
        }
        terminal.ends().await;
        true
    }

    /// A yes that nobody carries out yet.
    async fn answers(&self) {
        if self.way.era().is_some() {
            return self.record(Decision::Approved, 10).await;
        }
        assert!(self.approves(&["--vendor", "dfns"]).await);
    }

    /// The client brings the person's yes, or brings it again.
    async fn replies(&mut self) {
        let Some((client, asked)) = &mut self.client else { return };
        let arguments = parsed(PLAIN.arguments);
        let yes = agrees(&asked.form);
        match self.way {
            Way::Modern => {
                let mut fresh = Client::start(&self.world, Era::Modern).await;
                let _ = fresh.reply(PLAIN.tool, &arguments, asked, yes).await;
            }
            _ => drop(client.reply(PLAIN.tool, &arguments, asked, yes).await),
        }
    }

    /// The yes is carried out by a process that is killed while the vendor holds its answer.
    async fn is_sent_by_one_that_dies(&mut self) {
        let silence = FaultKind::StallAfter(Duration::from_secs(600));
        self.world.inject(PLAIN.vendor, PLAIN.method, PLAIN.path, silence);
        let before = self.world.sandbox.now().unwrap();
        let Some((mut client, asked)) = self.client.take() else {
            let mut command = self.world.command(["requests", "run"]);
            let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
            self.is_applied(&before).await;
            return child.kill().await.unwrap();
        };
        let arguments = parsed(PLAIN.arguments);
        {
            let reply = client.reply(PLAIN.tool, &arguments, &asked, agrees(&asked.form));
            tokio::select! {
                heard = reply => panic!("{heard:?}"),
                () = self.is_applied(&before) => {}
            }
        }
        client.raw.kill().await;
        // What a client of the modern era has to bring back, it has.
        if self.way == Way::Modern {
            self.client = Some((Client::start(&self.world, Era::Modern).await, asked));
        }
    }

    async fn is_applied(&self, before: &serde_json::Value) {
        for _ in 0..6_000 {
            if self.world.sandbox.now().unwrap() != *before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("it is not sent");
    }

    /// Brings the request into a state, and keeps a copy of the ledger of when its yes was live.
    async fn comes_to(&mut self, state: State) {
        let live = |scene: &Self| scene.copy("state", "older");
        let era = self.way.era().is_some();
        if era || matches!(state, State::Asked | State::Lapsed) {
            live(self);
        } else {
            self.answers().await;
            live(self);
        }
        match state {
            State::Asked => {}
            State::Answered if !era => {}
            State::Answered => self.answers().await,
            State::Spent => {
                if era {
                    self.answers().await;
                }
                self.ledger().spend(&self.receipt, &requester()).await.unwrap();
            }
            State::Opened => self.is_sent_by_one_that_dies().await,
            State::Found => {
                self.is_sent_by_one_that_dies().await;
                let ran = self.world.run(&["reconcile"]).await;
                assert!(ran.stdout.contains("confirmed"), "{ran:#?}");
            }
            State::Closed if era => self.replies().await,
            State::Closed => assert_eq!(self.world.run(&["requests", "run"]).await.status, 0),
            State::Denied => {
                let ran = self.world.run(&["requests", "deny", &self.receipt]).await;
                assert_eq!(ran.status, 0, "{ran:#?}");
            }
            State::Withdrawn => self.record(Decision::Withdrawn, 0).await,
            State::Lapsed => self.record(Decision::Approved, -1).await,
        }
    }

    /// A line of another receipt behind all others, which the head names.
    async fn another_line(&self) {
        let until = Timestamp::now() + SignedDuration::from_hours(1);
        let asking = Asking {
            digest: "none",
            until,
            content: Content { summary: "another".into(), ..Content::default() },
        };
        self.ledger().ask(&asking, &requester()).await.unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        let (from, to) = (self.world.path(from), self.world.path(to));
        std::fs::create_dir_all(&to).unwrap();
        let ledger = |path: &Path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let kept =
                name == "lines.jsonl" || name == "ledger.head" || name.starts_with("ledger.index");
            kept.then_some(name)
        };
        for old in std::fs::read_dir(&to).unwrap() {
            let old = old.unwrap().path();
            if ledger(&old).is_some() {
                std::fs::remove_file(old).unwrap();
            }
        }
        for file in std::fs::read_dir(&from).unwrap() {
            let file = file.unwrap().path();
            if let Some(name) = ledger(&file) {
                std::fs::copy(&file, to.join(name)).unwrap();
            }
        }
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.world.path("state/lines.jsonl")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    fn suffers(mut self, damage: Damage) -> Self {
        let mut lines = self.lines();
        let own: Vec<_> = (0..lines.len())
            .filter(|place| parsed(&lines[*place])["receipt"] == self.receipt.as_str())
            .collect();
        let is_yes = |place: &&usize| parsed(&lines[**place])["decision"] == "approved";
        let (last, live) = (own[own.len() - 1], *own.iter().find(is_yes).unwrap_or(&own[0]));
        match damage {
            Damage::Byte => lines[last] = lines[last].replacen("\"time\":\"2", "\"time\":\"3", 1),
            Damage::Cut => lines.truncate(live + 1),
            Damage::Repeated => lines.push(lines[live].clone()),
            Damage::Swapped => lines.swap(last, last + 1),
            Damage::None => return self,
            Damage::IndexEdited => {
                self.edits_the_index(own.len());
                return self;
            }
            Damage::IndexGone => {
                for end in ["", "-wal", "-shm"] {
                    let _ =
                        std::fs::remove_file(self.world.path(&format!("state/ledger.index{end}")));
                }
                return self;
            }
            Damage::KeyOther => {
                self.world = self.world.set("GRANTOR_LEDGER_KEY", OTHER_KEY);
                return self;
            }
            Damage::KeyAbsent => {
                self.world = self.world.unset("GRANTOR_LEDGER_KEY");
                return self;
            }
            Damage::OlderCopy => {
                self.copy("older", "state");
                return self;
            }
        }
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        std::fs::write(self.world.path("state/lines.jsonl"), text).unwrap();
        self
    }

    fn edits_the_index(&self, lines: usize) {
        let path = self.world.path("state/ledger.index");
        let database = rusqlite::Connection::open(path).unwrap();
        database.busy_timeout(Duration::from_secs(20)).unwrap();
        let end = Timestamp::now() + SignedDuration::from_hours(1);
        let live = "UPDATE request SET live = 1, until = ?1 WHERE receipt = ?2";
        database.execute(live, (end.as_millisecond(), &self.receipt)).unwrap();
        if lines > 1 {
            let hide = "DELETE FROM line WHERE receipt = ?1
                AND offset = (SELECT max(offset) FROM line WHERE receipt = ?1)";
            assert_eq!(database.execute(hide, [&self.receipt]).unwrap(), 1);
        }
    }
}

impl Way {
    fn era(self) -> Option<Era> {
        match self {
            Self::Session => Some(Era::Legacy),
            Self::Modern => Some(Era::Modern),
            Self::Terminal | Self::Signed => None,
        }
    }
}

/// Everything that could have it sent is tried after the damage, with the access gone from the vendor.
async fn play(cell: Cell) -> Came {
    let mut scene = Scene::asked(cell.way).await;
    scene.comes_to(cell.state).await;
    scene.another_line().await;
    // The index is there, and has seen all of it.
    assert_eq!(scene.world.run(&["requests"]).await.status, 0, "{cell:?}");
    // What was given is taken away at the vendor: giving it again would be a write.
    scene.world.sandbox.reset().unwrap();
    scene.world.sandbox.calm();
    let mut scene = scene.suffers(cell.damage);
    if cell.state == State::Asked && cell.way.era().is_none() {
        scene.approves(&[]).await;
    }
    let answered = cell.way == Way::Session
        && matches!(cell.state, State::Opened | State::Closed | State::Found);
    if !answered {
        scene.replies().await;
    }
    let ran = scene.world.run(&["requests", "run"]).await;
    let again = scene.world.run(&["requests", "run"]).await;
    let status = if ran.status == 0 { again.status } else { ran.status };
    Came { writes: scene.world.writes().len(), status }
}

/// Plays the cells, prints them as a table, and compares each with what must come of it.
async fn table(cells: Vec<Cell>) {
    let wanted = cells.clone();
    let played =
        futures_util::stream::iter(cells).map(|cell| async move { (cell, play(cell).await) });
    let played: Vec<_> = played.buffered(AT_ONCE).collect().await;
    let names = DAMAGES.map(|damage| format!("{damage:?}"));
    println!("writes/exit status of `requests run`; · is not played");
    println!("{:20} {}", "", names.map(|name| format!("{name:12}")).join(""));
    let mut wrong = Vec::new();
    for way in WAYS {
        for state in STATES {
            let mut row = String::new();
            for damage in DAMAGES {
                let of = |cell: &Cell| (cell.way, cell.state, cell.damage) == (way, state, damage);
                let Some((cell, came)) = played.iter().find(|(cell, _)| of(cell)) else {
                    row.push_str(&format!("{:12}", "·"));
                    continue;
                };
                let expected = cell.expected();
                let mark = if *came == expected { "" } else { " !" };
                row.push_str(&format!("{:12}", format!("{}/{}{mark}", came.writes, came.status)));
                if *came != expected {
                    wrong.push((*cell, *came, expected));
                }
            }
            println!("{:20} {row}", format!("{way:?} {state:?}"));
        }
    }
    assert_eq!(played.len(), wanted.len());
    assert!(wrong.is_empty(), "{wrong:#?}");
}

fn all() -> Vec<Cell> {
    let mut cells = Vec::new();
    for way in WAYS {
        for state in STATES {
            cells.extend(DAMAGES.map(|damage| Cell { way, state, damage }));
        }
    }
    cells
}

/// Each state in each way once, and each damage in each way: a slice of the whole.
#[tokio::test]
async fn a_yes_is_used_once_and_by_nobody_else_whatever_happens_to_the_ledger() {
    let place = |cell: &Cell| {
        let way = WAYS.iter().position(|way| *way == cell.way).unwrap();
        let state = STATES.iter().position(|state| *state == cell.state).unwrap();
        (state * 3 + way * 4 + 1) % DAMAGES.len()
    };
    let slice = all().into_iter().filter(|cell| DAMAGES[place(cell)] == cell.damage);
    table(slice.collect()).await;
}

#[tokio::test]
#[ignore = "hundreds of cells with several processes each"]
async fn every_state_of_consent_in_every_way_under_every_damage() {
    table(all()).await;
}
