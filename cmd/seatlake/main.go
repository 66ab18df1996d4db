// Command seatlake turns a Microsoft 365 tenant into a lake of licence facts.
//
// This package is wiring, printing and exit status, one file per command:
// main.go starts the program, wiring.go is the parts list of a run, and every
// other file without a test suffix is a command or what commands print with.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// The exit statuses, as documented in the README.
const (
	exitComplete    = 0 // everything was read, published and checked
	exitNothing     = 1 // nothing was published
	exitUsage       = 2 // the command line or the configuration is wrong
	exitGaps        = 3 // published, with gaps in coverage
	exitCheckFailed = 4 // published, but a model or a check failed
)

func main() {
	os.Exit(newApp().main())
}

// newApp is the program in its process: real streams, clock and patience.
func newApp() *app {
	return &app{
		in: os.Stdin, out: os.Stdout, err: os.Stderr, env: os.LookupEnv, now: time.Now,
		outTTY: term.IsTerminal(int(os.Stdout.Fd())), errTTY: term.IsTerminal(int(os.Stderr.Fd())),
	}
}

// main runs the process's command line until it ends or is interrupted, and gives
// its exit status.
func (a *app) main() int {
	ctx, stop := untilSignal(context.Background())
	defer stop()
	return a.execute(ctx, os.Args[1:])
}

// app is what every command works with. Its fields are the process's
// surroundings, so that a test can put others in their place.
type app struct {
	in             io.Reader
	out, err       io.Writer
	outTTY, errTTY bool
	env            func(string) (string, bool)
	now            func() time.Time
	sleep          func(context.Context, time.Duration) error // between attempts; nil waits

	configPath string
	logFormat  string
	quiet      bool
	nowFlag    string
}

// execute runs one command line and gives its exit status.
func (a *app) execute(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitComplete
	}
	var status *statusError
	if !errors.As(err, &status) {
		// Cobra's own errors: unknown commands, flags and arguments.
		status = &statusError{code: exitUsage, err: fmt.Errorf("%w\nRun 'seatlake --help' for the commands and their flags", err)}
	}
	if status.err != nil {
		fmt.Fprintln(a.err, "seatlake: "+status.err.Error())
	}
	return status.code
}

// statusError is an error with the exit status it ends the program with.
type statusError struct {
	code int
	err  error // nil when all has been said already
}

func (e *statusError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit status %d", e.code)
	}
	return e.err.Error()
}

func (e *statusError) Unwrap() error { return e.err }

// usage is the error of a command line or a configuration that cannot work.
func usage(format string, args ...any) error {
	return &statusError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// action makes a command's function cobra's: an error without a status of its own
// means that nothing was published, and a faulty configuration is a matter of
// usage.
func action(fn func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		return withStatus(fn(cmd.Context(), args))
	}
}

// withStatus gives an error the status it ends the program with, unless it has one.
func withStatus(err error) error {
	var status *statusError
	var config *ConfigError
	switch {
	case err == nil, errors.As(err, &status):
		return err
	case errors.As(err, &config):
		return &statusError{code: exitUsage, err: err}
	default:
		return &statusError{code: exitNothing, err: err}
	}
}

// statusOf is the exit status of what withStatus gave.
func statusOf(err error) int {
	var status *statusError
	if errors.As(err, &status) {
		return status.code
	}
	return exitComplete
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "seatlake",
		Short: "Turn a Microsoft 365 tenant into a lake of licence facts",
		Long: `seatlake reads users, usage reports, sign-ins and subscriptions from Microsoft
Graph, writes them as Parquet into a lake, and answers for every licence: bought,
assigned, used, idle. Try it without a tenant: seatlake demo

Exit status: 0 complete; 1 nothing published; 2 usage or configuration;
3 published with coverage gaps; 4 published but a check failed.`,
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usage("unknown command %q; `seatlake --help` names the commands", args[0])
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(*cobra.Command, []string) error {
			return a.prepare()
		},
	}
	root.SetOut(a.out)
	root.SetErr(a.err)
	flags := root.PersistentFlags()
	flags.StringVarP(&a.configPath, "config", "c", "seatlake.yaml", "configuration `file`")
	flags.StringVar(&a.logFormat, "log-format", "text", "format of log lines: text or json")
	flags.BoolVarP(&a.quiet, "quiet", "q", false, "no progress, warnings and errors only")
	flags.StringVar(&a.nowFlag, "now", "", "act as if it were this `time` (RFC 3339), for tests and for repeating a day")
	root.AddCommand(
		a.demoCommand(), a.initCommand(), a.doctorCommand(), a.loginCommand(), a.runCommand(), a.replayCommand(), a.buildCommand(), a.checkCommand(), a.pruneCommand(), a.compactCommand(), a.eraseCommand(),
		a.showCommand(), a.queryCommand(), a.diffCommand(), a.termsCommand(), a.inventoryCommand(), a.licensesCommand(), a.reclaimCommand(), a.feedCommand(), a.catalogCommand(), a.graphCommand(), a.docsCommand(), a.versionCommand(),
		a.revealCommand(), a.sealCommand(), a.explainCommand(),
	)
	return root
}

// prepare checks the flags that every command shares.
func (a *app) prepare() error {
	if a.logFormat != "text" && a.logFormat != "json" {
		return usage("--log-format %q is not known; it is text or json", a.logFormat)
	}
	if a.nowFlag != "" {
		t, err := time.Parse(time.RFC3339, a.nowFlag)
		if err != nil {
			return usage("--now %q is not an RFC 3339 time, such as 2026-11-24T06:00:00Z", a.nowFlag)
		}
		a.now = func() time.Time { return t }
	}
	return nil
}

// config loads the configuration the command line names.
func (a *app) config() (*Config, error) {
	return LoadConfig(a.configPath, a.env)
}

// reporter tells a person or a log what goes on.
func (a *app) reporter() *Reporter {
	return NewReporter(a.err, a.errTTY, a.logFormat, a.quiet)
}

// version is the program's version, from the build's module information.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" {
		return "devel"
	}
	return info.Main.Version
}
