//! Every order in which three processes, a person and a crash can come, tried against the function
//! that says what becomes of a yes.
//!
//! Two requests for one change, which the first process asked; a twin of it may carry them out as
//! well. The third judges by another policy, which asks nobody; the fourth is another tenant's. The
//! person approves, denies and takes the access back in any order, two processes may die at any
//! step, and once lines may be lost at the end while the head beside them stays.

use stateright::{Checker as _, HasDiscoveries, Model, Path, Property};

use super::{Event, State};
use crate::control::ledger::Decision;

const PROCESSES: usize = 4;
const REQUESTS: usize = 2;
/// The process that asked, its twin, and those that judge otherwise and for another tenant.
const ASKER: usize = 0;
const TWIN: usize = 1;
const FREE: usize = 2;
const STRANGER: usize = 3;
/// Longer than the shortest history of anything that is broken on purpose.
const DEEP: usize = 14;
/// How many processes may die.
const DEATHS: u8 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Line {
    Asked(usize),
    Answered(usize, Decision),
    Spent(usize),
    /// A change was sent: for a request, or for nobody's yes.
    Open(Option<usize>),
    /// Whoever wrote next found lines missing.
    Broken,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Process {
    Idle,
    /// It has a request in hand.
    Carries(usize),
    /// Its change is on disk, and about to leave.
    Sends(Option<usize>),
    Dead,
}

/// The world, and what really happened in it, which no line needs to say.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct World {
    lines: Vec<Line>,
    /// How many lines there were when the head was written.
    head: usize,
    processes: [Process; PROCESSES],
    /// Whether the access is there.
    given: bool,
    approved: [bool; REQUESTS],
    denied: [bool; REQUESTS],
    /// The access was changed by something else since the answer.
    overtaken: [bool; REQUESTS],
    writes: [u8; REQUESTS],
    /// A write went to the other tenant on a yes.
    strayed: bool,
    /// A write that no yes was for, or no longer.
    wrong: bool,
    /// What may happen only so often.
    undone: bool,
    freed: bool,
    cut: bool,
    deaths: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Step {
    Answer(usize, Decision),
    /// A process takes a request up.
    Take(usize, usize),
    /// It looks at the access, and opens its change or does not.
    Look(usize),
    PolicyDenies(usize),
    Send(usize),
    /// The same change without a yes, where no rule asks for one.
    Free,
    /// The person takes the access back.
    Undo,
    Crash(usize),
    Cut,
}

/// How requests are carried out: as they are, or as something else that the checker must find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rules {
    Now,
    /// A yes is used up only where the rules still ask when the access was looked at.
    SpentLate,
    /// Nobody compares whose request it is.
    AnyTenant,
    /// Another change of the same access is not looked for.
    NotOvertaken,
    /// Nobody looks for damage before a change is opened.
    Careless,
}

struct Consent {
    rules: Rules,
    after: fn(State, Event) -> State,
}

impl Consent {
    fn now() -> Self {
        Self { rules: Rules::Now, after: State::after }
    }

    /// What the lines say of a request.
    fn state(&self, world: &World, request: usize) -> State {
        let mut state = State::Unasked;
        for line in &world.lines {
            let event = match *line {
                Line::Asked(of) if of == request => Event::Asked,
                Line::Answered(of, decision) if of == request => Event::Answered(decision),
                Line::Spent(of) if of == request => Event::Spent,
                Line::Open(Some(of)) if of == request => Event::Opened,
                Line::Open(_) => Event::Overtaken,
                Line::Broken => Event::LineDamaged,
                _ => continue,
            };
            state = (self.after)(state, event);
        }
        if world.lines.len() < world.head { (self.after)(state, Event::LinesCut) } else { state }
    }

    /// Whether the access was changed since the answer, as the lines say it.
    fn is_overtaken(&self, world: &World, request: usize) -> bool {
        let answered = Line::Answered(request, Decision::Approved);
        let answer = world.lines.iter().position(|line| *line == answered);
        let since = world.lines.iter().skip(answer.unwrap_or_default());
        self.rules != Rules::NotOvertaken
            && since.into_iter().any(|line| matches!(line, Line::Open(of) if *of != Some(request)))
    }

    /// Whether a process may take a request up.
    fn serves(&self, process: usize) -> bool {
        match process {
            ASKER | TWIN => true,
            FREE => self.rules == Rules::SpentLate,
            STRANGER => self.rules == Rules::AnyTenant,
            _ => false,
        }
    }

    fn take(&self, world: &mut World, process: usize, request: usize) -> Option<()> {
        let idle = world.processes[process] == Process::Idle;
        if !idle || !self.serves(process) || self.state(world, request) != State::Approved {
            return None;
        }
        if self.rules != Rules::SpentLate {
            append(world, Line::Spent(request));
        }
        world.processes[process] = Process::Carries(request);
        Some(())
    }

    fn look(&self, world: &mut World, process: usize) -> Option<()> {
        let Process::Carries(request) = world.processes[process] else { return None };
        let busy = world.processes.iter().any(|other| matches!(other, Process::Sends(_)));
        // Changes of one access take turns.
        if busy && process != STRANGER {
            return None;
        }
        world.processes[process] = Process::Idle;
        if world.given && process != STRANGER {
            return Some(());
        }
        match self.rules {
            Rules::SpentLate if process == FREE => {}
            Rules::SpentLate if self.state(world, request) != State::Approved => return Some(()),
            Rules::SpentLate => append(world, Line::Spent(request)),
            _ if self.is_overtaken(world, request) => return Some(()),
            _ => {}
        }
        // Where lines were lost since, what they said may have been another change.
        let is_broken = world.lines.len() < world.head || world.lines.contains(&Line::Broken);
        let is_broken = is_broken && self.rules != Rules::Careless;
        let compared = matches!(self.rules, Rules::Now | Rules::Careless);
        if compared && (is_broken || self.state(world, request) != State::Spent) {
            return Some(());
        }
        append(world, Line::Open(Some(request)));
        world.processes[process] = Process::Sends(Some(request));
        Some(())
    }

    fn send(world: &mut World, process: usize) -> Option<()> {
        let Process::Sends(request) = world.processes[process] else { return None };
        world.processes[process] = Process::Idle;
        if let Some(request) = request {
            world.writes[request] += 1;
            let agreed = world.approved[request] && !world.denied[request];
            world.wrong |= !agreed || world.overtaken[request];
            world.strayed |= process == STRANGER;
        }
        if process != STRANGER {
            overtake(world, request);
            world.given = true;
        }
        Some(())
    }
}

fn append(world: &mut World, line: Line) {
    if world.lines.len() < world.head {
        world.lines.push(Line::Broken);
    }
    world.lines.push(line);
    world.head = world.lines.len();
}

/// Whatever was agreed to before was about something else.
fn overtake(world: &mut World, by: Option<usize>) {
    for request in (0..REQUESTS).filter(|request| Some(*request) != by) {
        world.overtaken[request] |= world.approved[request];
    }
}

impl Model for Consent {
    type State = World;
    type Action = Step;

    fn init_states(&self) -> Vec<World> {
        vec![World {
            lines: (0..REQUESTS).map(Line::Asked).collect(),
            head: REQUESTS,
            processes: [Process::Idle; PROCESSES],
            given: false,
            approved: [false; REQUESTS],
            denied: [false; REQUESTS],
            overtaken: [false; REQUESTS],
            writes: [0; REQUESTS],
            strayed: false,
            wrong: false,
            undone: false,
            freed: false,
            cut: false,
            deaths: 0,
        }]
    }

    fn actions(&self, _: &World, actions: &mut Vec<Step>) {
        for request in 0..REQUESTS {
            actions.push(Step::Answer(request, Decision::Approved));
            actions.push(Step::Answer(request, Decision::Denied));
            actions.extend((0..PROCESSES).map(|process| Step::Take(process, request)));
        }
        for process in 0..PROCESSES {
            actions.extend([
                Step::Look(process),
                Step::PolicyDenies(process),
                Step::Send(process),
                Step::Crash(process),
            ]);
        }
        actions.extend([Step::Free, Step::Undo, Step::Cut]);
    }

    fn next_state(&self, before: &World, step: Step) -> Option<World> {
        let mut world = before.clone();
        let sends = world.processes.iter().any(|process| matches!(process, Process::Sends(_)));
        match step {
            Step::Answer(request, decision) => {
                if !self.state(&world, request).takes(decision) {
                    return None;
                }
                append(&mut world, Line::Answered(request, decision));
                match decision {
                    Decision::Approved => world.approved[request] = true,
                    _ => world.denied[request] = true,
                }
            }
            Step::Take(process, request) => self.take(&mut world, process, request)?,
            Step::Look(process) => self.look(&mut world, process)?,
            Step::PolicyDenies(process) => match world.processes[process] {
                Process::Carries(_) => world.processes[process] = Process::Idle,
                _ => return None,
            },
            Step::Send(process) => Self::send(&mut world, process)?,
            Step::Free => {
                if world.freed || world.given || sends || world.processes[FREE] != Process::Idle {
                    return None;
                }
                world.freed = true;
                append(&mut world, Line::Open(None));
                world.processes[FREE] = Process::Sends(None);
            }
            Step::Undo => {
                if world.undone || !world.given || sends {
                    return None;
                }
                world.undone = true;
                append(&mut world, Line::Open(None));
                overtake(&mut world, None);
                world.given = false;
            }
            Step::Crash(process) => {
                // One that has nothing in hand takes nothing with it.
                let idle = matches!(world.processes[process], Process::Idle | Process::Dead);
                if idle || world.deaths == DEATHS {
                    return None;
                }
                world.deaths += 1;
                world.processes[process] = Process::Dead;
            }
            Step::Cut => {
                if world.cut || world.lines.len() <= REQUESTS {
                    return None;
                }
                world.cut = true;
                world.lines.pop();
            }
        }
        Some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::<Self>::always("a yes is for one write", |_, world| {
                world.writes.iter().all(|writes| *writes <= 1)
            }),
            Property::<Self>::always("no write without a yes that holds", |_, world| !world.wrong),
            Property::<Self>::always("no write at another tenant", |_, world| !world.strayed),
            Property::<Self>::always("no write is forgotten in silence", |_, world| {
                let written: usize = world.writes.iter().map(|writes| usize::from(*writes)).sum();
                let open = |line: &&Line| matches!(line, Line::Open(Some(_)));
                world.lines.iter().filter(open).count() >= written
                    || world.lines.len() < world.head
                    || world.lines.contains(&Line::Broken)
            }),
            Property::<Self>::sometimes("a yes is carried out", |_, world| world.writes[0] == 1),
            Property::<Self>::sometimes("a yes is lost with its process", |_, world| {
                let lost = |process: &Process| *process == Process::Dead;
                world.lines.contains(&Line::Spent(0)) && world.processes.iter().any(lost)
            }),
        ]
    }
}

fn explore(model: Consent) -> impl stateright::Checker<Consent> {
    let checker = model.checker().target_max_depth(DEEP);
    checker.finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join()
}

fn shown(path: Path<World, Step>) -> Vec<Step> {
    path.into_actions()
}

#[test]
fn in_every_order_a_yes_is_used_once_and_for_what_it_was() {
    let checker = Consent::now().checker().spawn_bfs().join();
    checker.assert_properties();
    println!("{} states, {} of them unique", checker.state_count(), checker.unique_state_count());
    assert!(checker.unique_state_count() > 10_000, "{}", checker.unique_state_count());
}

/// What the function or the road must not be: each is found, with its shortest history.
#[test]
fn what_is_broken_on_purpose_is_found() {
    let forgiving = |state: State, event: Event| match event {
        Event::LinesCut | Event::LineDamaged => state,
        event => state.after(event),
    };
    let eager = |state: State, event: Event| match (state, event) {
        (State::Denied, Event::Answered(Decision::Approved)) => State::Approved,
        (State::Approved, Event::Answered(Decision::Denied)) => State::Approved,
        _ => state.after(event),
    };
    let unspent = |state: State, event: Event| match (state, event) {
        (State::Approved, Event::Spent | Event::Opened) => State::Approved,
        _ => state.after(event),
    };
    let wrong = "no write without a yes that holds";
    for (what, model, property) in [
        ("spent late", Consent { rules: Rules::SpentLate, ..Consent::now() }, wrong),
        (
            "any tenant",
            Consent { rules: Rules::AnyTenant, ..Consent::now() },
            "no write at another tenant",
        ),
        ("not overtaken", Consent { rules: Rules::NotOvertaken, ..Consent::now() }, wrong),
        (
            "damage after the yes was taken",
            Consent { rules: Rules::Careless, ..Consent::now() },
            wrong,
        ),
        ("damage at any time", Consent { rules: Rules::Careless, after: forgiving }, wrong),
        ("a no is overruled", Consent { after: eager, ..Consent::now() }, wrong),
        ("a yes stays", Consent { rules: Rules::NotOvertaken, after: unspent }, wrong),
    ] {
        let checker = explore(model);
        let found = checker.discoveries();
        let path = found.into_iter().find(|(name, _)| {
            *name == property
                || what != "any tenant" && !name.contains("carried") && !name.contains("lost with")
        });
        let (name, path) = path.unwrap_or_else(|| panic!("{what} is not found"));
        println!("{what}: {name}: {:?}", shown(path));
    }
}
