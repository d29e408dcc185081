//! From an account folder's files to a snapshot that answers, and the oracle beside it.

use std::collections::BTreeMap;
use std::sync::Arc;

use camgate::analysis::{Answer, CaseFile, PrincipalRef, TestReport, requests, run};
use camgate::catalog::Catalog;
use camgate::directory::folder::Folder;
use camgate::directory::{
    AccountState, Command, CreatePolicyVersion, Env, Globals, PolicyRef, Presets, Quotas,
    SetDefaultPolicyVersion, UnixMillis, VersionNumber, execute_all, snapshot_input,
};
use camgate::engine::{AccountInput, AccountSnapshot, World, reference};

use super::repo::{files, read};

/// The files of a folder, by path in it.
pub(crate) type Files = BTreeMap<String, Vec<u8>>;

/// An account built from files.
pub(crate) struct Built {
    world: Arc<World>,
    input: AccountInput,
    uins: BTreeMap<String, u64>,
    /// The account, compiled.
    pub(crate) snapshot: AccountSnapshot,
    /// Its case files.
    pub(crate) cases: Vec<CaseFile>,
}

/// The files below a folder of the repository.
pub(crate) fn folder_files(folder: &str) -> Files {
    let inner = |path: &String| path.strip_prefix(&format!("{folder}/")).unwrap().to_owned();
    files(folder).iter().map(|path| (inner(path), read(path).into_bytes())).collect()
}

/// Documents that become the next versions of a policy, and which version counts.
pub(crate) type Versions = BTreeMap<String, (Vec<Vec<u8>>, u32)>;

/// Builds the account that a folder describes; `versions` are added to its policies.
pub(crate) fn build(files: &Files, versions: &Versions) -> Result<Built, String> {
    let presets = Presets::built_in();
    let catalog = Catalog::builtin();
    let lines = |faults: Vec<String>| faults.join("\n");
    let folder = Folder::parse(files)
        .map_err(|faults| lines(faults.iter().map(ToString::to_string).collect()))?;
    let state = folder
        .state(&presets, catalog)
        .map_err(|faults| lines(faults.iter().map(ToString::to_string).collect()))?;
    let state = with_versions(state, versions, &presets)?;
    let mut cases = Vec::new();
    for (name, bytes) in &folder.cases {
        let parsed = CaseFile::parse(name, bytes);
        cases.push(
            parsed.map_err(|faults| lines(faults.iter().map(ToString::to_string).collect()))?,
        );
    }
    let general = presets.general_input();
    let world = World::new(Arc::new(catalog.clone()), general, presets.shared_input());
    let world = Arc::new(world);
    let input = snapshot_input(&state, &presets, 1).ok_or("the account does not exist")?;
    let uins = folder.sub_accounts.iter().map(|(uin, it)| (it.name.clone(), *uin)).collect();
    let snapshot = AccountSnapshot::build(input.clone(), &world, None);
    Ok(Built { world, input, uins, snapshot, cases })
}

fn with_versions(
    mut state: AccountState,
    versions: &Versions,
    presets: &Presets,
) -> Result<AccountState, String> {
    let (quotas, globals) = (Quotas::default(), Globals::assume_absent());
    let vocabulary = Catalog::builtin();
    let env = Env { now: UnixMillis(0), quotas: &quotas, presets, vocabulary, globals: &globals };
    let mut commands = Vec::new();
    for (name, (documents, default)) in versions {
        let policy = PolicyRef::Name(name.clone());
        commands.extend(documents.iter().map(|document| {
            Command::CreatePolicyVersion(CreatePolicyVersion {
                policy: policy.clone(),
                document: document.clone(),
                set_default: false,
            })
        }));
        let version = VersionNumber(*default);
        commands
            .push(Command::SetDefaultPolicyVersion(SetDefaultPolicyVersion { policy, version }));
    }
    let executed = execute_all(&state, &commands, &env).map_err(|error| error.to_string())?;
    executed.changes.iter().for_each(|change| state.apply(change));
    Ok(state)
}

impl Built {
    /// The uin of a principal of a case.
    pub(crate) fn uin(&self, principal: &PrincipalRef) -> Option<u64> {
        match principal {
            PrincipalRef::Root => Some(self.input.owner.uin),
            PrincipalRef::Name(name) => self.uins.get(name).copied(),
            PrincipalRef::Uin(uin) => Some(*uin),
        }
    }

    /// The same account with its input changed.
    pub(crate) fn changed(mut self, change: impl FnOnce(&mut AccountInput)) -> Self {
        change(&mut self.input);
        let snapshot = AccountSnapshot::build(self.input.clone(), &self.world, None);
        Self { snapshot, ..self }
    }

    /// Runs the cases; every answer must also be the reference's.
    pub(crate) fn run(&self) -> (TestReport, Vec<String>) {
        let names = |principal: &PrincipalRef| self.uin(principal);
        let report = run(&self.snapshot, &names, &self.cases);
        let mut faults: Vec<String> = report
            .failures()
            .map(|it| {
                let place = format!("{}: {}", it.file, it.case);
                format!("{place}: {} {} {}\n{}", it.principal, it.action, it.resource, it.why)
            })
            .collect();
        let asked = requests(&self.snapshot, &names, &self.cases);
        for (asked, result) in asked.zip(&report.results) {
            let (Ok(request), Answer::Decided(actual)) = (&asked.request, &result.actual) else {
                continue;
            };
            // No rule speaks of notes, nor of the words of an error.
            let mut decision = reference::decide(&self.input, &self.world, request);
            let mut plain = actual.clone();
            decision.notes.clone_from(&actual.notes);
            decision.errors.iter_mut().for_each(|error| error.message.clear());
            plain.errors.iter_mut().for_each(|error| error.message.clear());
            if decision != plain {
                let place = format!("{}: {}", asked.file, asked.case.name);
                faults.push(format!("{place}: engine {actual:?}\nreference {decision:?}"));
            }
        }
        (report, faults)
    }
}
