//! `tidemill completions`.

use clap::CommandFactory;

use crate::CompletionsArgs;

/// Prints the completions of the command line `P`.
pub fn completions<P: CommandFactory>(args: &CompletionsArgs) -> u8 {
    let mut command = P::command();
    let name = command.get_name().to_owned();
    clap_complete::generate(args.shell, &mut command, name, &mut std::io::stdout());
    0
}
