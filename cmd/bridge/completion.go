package main

import (
	"context"
	"fmt"
	"io"
	"strings"
)

const completionHelp = `What it writes is read by the shell, and completes commands and flags by Tab:

  bridge completion bash > /etc/bash_completion.d/bridge
  bridge completion zsh > "${fpath[1]}/_bridge"
  bridge completion fish > ~/.config/fish/completions/bridge.fish
`

// completion writes what a shell needs to complete commands and flags.
func (w world) completion(_ context.Context, args []string) error {
	f := w.flags("completion")
	if err := w.parse(f, args, 1, 1); err != nil {
		return err
	}
	all := w.descriptions()
	switch f.Arg(0) {
	case "bash":
		completeBash(w.stdout, all)
	case "zsh":
		completeZsh(w.stdout, all)
	case "fish":
		completeFish(w.stdout, all)
	default:
		fmt.Fprintf(w.stderr, "bridge completion: %q is none of bash, zsh, fish\n", f.Arg(0))
		return errUsage
	}
	return nil
}

// completeBash writes a function that bash calls for each Tab.
func completeBash(out io.Writer, all []description) {
	var names []string
	for _, d := range all {
		names = append(names, d.name)
	}
	fmt.Fprintf(out, `# Completes the commands and flags of bridge in bash.
_bridge() {
	local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} offered=
	if ((COMP_CWORD == 1)); then
		mapfile -t COMPREPLY < <(compgen -W '%s' -- "$word")
		return
	fi
	case ${COMP_WORDS[1]}/$before in
`, strings.Join(names, " "))
	for _, d := range all {
		var files, others []string
		for _, f := range d.flags {
			switch takes(f) {
			case "":
			case "file":
				files = append(files, d.name+"/-"+f.Name)
			default:
				others = append(others, d.name+"/-"+f.Name)
			}
		}
		if len(files) > 0 {
			fmt.Fprintf(out, "\t%s) mapfile -t COMPREPLY < <(compgen -f -- \"$word\"); return ;;\n", strings.Join(files, "|"))
		}
		if len(others) > 0 {
			fmt.Fprintf(out, "\t%s) return ;;\n", strings.Join(others, "|"))
		}
	}
	fmt.Fprint(out, "\tesac\n\tcase ${COMP_WORDS[1]} in\n")
	for _, d := range all {
		offered := d.words()
		for _, f := range d.flags {
			offered = append(offered, "-"+f.Name)
		}
		fmt.Fprintf(out, "\t%s) offered='%s' ;;\n", d.name, strings.Join(offered, " "))
	}
	fmt.Fprint(out, `	esac
	mapfile -t COMPREPLY < <(compgen -W "$offered" -- "$word")
}
complete -o default -F _bridge bridge
`)
}

// completeZsh writes a file for zsh's function path.
func completeZsh(out io.Writer, all []description) {
	// In what _arguments reads, colons and brackets have a meaning.
	plain := strings.NewReplacer("'", "’", ":", " -", "[", "(", "]", ")", "`", "", "\n", " ").Replace
	fmt.Fprint(out, "#compdef bridge\n# Completes the commands and flags of bridge in zsh.\n\n_bridge() {\n\tlocal -a commands\n\tcommands=(\n")
	for _, d := range all {
		fmt.Fprintf(out, "\t\t'%s:%s'\n", d.name, plain(d.summary))
	}
	fmt.Fprint(out, "\t)\n\tif ((CURRENT == 2)); then\n\t\t_describe command commands\n\t\treturn\n\tfi\n\tshift words\n\t((CURRENT--))\n\tcase $words[1] in\n")
	for _, d := range all {
		fmt.Fprintf(out, "\t%s)\n\t\t_arguments", d.name)
		for _, f := range d.flags {
			fmt.Fprintf(out, " \\\n\t\t\t'%s-%s[%s]", "*", f.Name, plain(says(f)))
			switch what := takes(f); what {
			case "":
			case "file":
				fmt.Fprint(out, ":file:_files")
			default:
				fmt.Fprintf(out, ":%s: ", plain(what))
			}
			fmt.Fprint(out, "'")
		}
		switch {
		case len(d.words()) > 0:
			fmt.Fprintf(out, " \\\n\t\t\t'1:what:(%s)'", strings.Join(d.words(), " "))
		case d.wantsFile():
			fmt.Fprint(out, " \\\n\t\t\t'*:file:_files'")
		}
		fmt.Fprint(out, "\n\t\t;;\n")
	}
	fmt.Fprint(out, "\tesac\n}\n\n_bridge \"$@\"\n")
}

// completeFish writes one line for each thing that can be completed.
func completeFish(out io.Writer, all []description) {
	quote := func(s string) string {
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", " ").Replace(s) + "'"
	}
	fmt.Fprint(out, "# Completes the commands and flags of bridge in fish.\ncomplete -c bridge -f\n")
	for _, d := range all {
		fmt.Fprintf(out, "complete -c bridge -n __fish_use_subcommand -a %s -d %s\n", d.name, quote(d.summary))
		within := quote("__fish_seen_subcommand_from " + d.name)
		for _, f := range d.flags {
			fmt.Fprintf(out, "complete -c bridge -n %s -o %s -d %s", within, f.Name, quote(says(f)))
			switch takes(f) {
			case "":
			case "file":
				fmt.Fprint(out, " -r -F")
			default:
				fmt.Fprint(out, " -x")
			}
			fmt.Fprintln(out)
		}
		switch {
		case len(d.words()) > 0:
			fmt.Fprintf(out, "complete -c bridge -n %s -a %s\n", within, quote(strings.Join(d.words(), " ")))
		case d.wantsFile():
			fmt.Fprintf(out, "complete -c bridge -n %s -F\n", within)
		}
	}
}
