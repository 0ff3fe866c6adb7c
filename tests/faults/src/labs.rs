//! The labs that faults need: the one that is up, and others for the time they are needed.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use lab::{Lab, LabError};

use crate::fault::Needs;
use crate::output::note;

/// A lab, and whether it was started for this run.
#[derive(Debug)]
pub(crate) struct Borrowed {
    pub(crate) lab: Lab,
    started: bool,
}

impl Borrowed {
    /// The lab of this name if it is up and will do; else one with another name, which is started.
    ///
    /// # Errors
    /// When a lab does not start.
    pub(crate) fn get(name: &str, needs: &Needs) -> Result<Self> {
        match Lab::open(name) {
            Ok(lab) if needs.met_by(lab.options()) => return Ok(Self { lab, started: false }),
            Err(LabError::NotUp(_)) if *needs == Needs::default() => return Self::start(name, needs),
            Ok(_) | Err(LabError::NotUp(_)) => {}
            Err(error) => return Err(error.into()),
        }
        let other = name_of(name, needs);
        match Lab::open(&other) {
            Ok(lab) if needs.met_by(lab.options()) => Ok(Self { lab, started: false }),
            _ => Self::start(&other, needs),
        }
    }

    fn start(name: &str, needs: &Needs) -> Result<Self> {
        note(format_args!("starting lab {name}"));
        cargo_lab(name, &[vec!["up".to_owned()], needs.arguments()].concat())?;
        Ok(Self {
            lab: Lab::open(name)?,
            started: true,
        })
    }

    /// Ends the lab and starts it anew, with the same options.
    pub(crate) fn restart(self) -> Result<Self> {
        let Self { lab, started } = self;
        let options = lab.options();
        let needs = Needs {
            nodes: options.nodes,
            proxy_mode: options.proxy_mode,
            dual_stack: options.dual_stack,
            network_policy: options.network_policy,
        };
        cargo_lab(lab.name(), &["down".to_owned()])?;
        let lab = Self::start(lab.name(), &needs)?.lab;
        Ok(Self { lab, started })
    }

    /// Ends the lab if it was started for this run.
    pub(crate) fn give_back(self) -> Result<()> {
        if self.started {
            note(format_args!("ending lab {}", self.lab.name()));
            cargo_lab(self.lab.name(), &["down".to_owned()])?;
        }
        Ok(())
    }
}

/// What a lab with these needs is called beside the lab of this name.
fn name_of(name: &str, needs: &Needs) -> String {
    let mut other = format!("{name}-{}", needs.nodes);
    if needs.proxy_mode == lab::ProxyMode::Nftables {
        other.push_str("-nft");
    }
    if needs.dual_stack {
        other.push_str("-dual");
    }
    if !needs.network_policy {
        other.push_str("-open");
    }
    other
}

/// Through cargo, because a lab runs copies of the program that started it.
fn cargo_lab(name: &str, words: &[String]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let status = Command::new(cargo)
        .args(["run", "--quiet", "--package", "lab", "--", "--name", name])
        .args(words)
        .current_dir(crate::corpus::home())
        .status()
        .context("start cargo")?;
    ensure!(
        status.success(),
        "`cargo lab --name {name} {}` ended with {status}",
        words.join(" ")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lab_of_another_kind_has_another_name() {
        let open = Needs {
            network_policy: false,
            ..Needs::default()
        };
        let single = Needs {
            nodes: 1,
            dual_stack: true,
            ..Needs::default()
        };
        assert_eq!(name_of("lab", &open), "lab-3-open");
        assert_eq!(name_of("lab", &single), "lab-1-dual");
    }
}
