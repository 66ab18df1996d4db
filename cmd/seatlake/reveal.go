package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"seatlake/schemas"
	"seatlake/transform/seal"
)

func (a *app) revealCommand() *cobra.Command {
	var format string
	cmd := &cobra.Command{
		Use:   "reveal [VALUE]...",
		Short: "Give the names behind sealed values, with the key",
		Long: `Prints the clear text of sealed values of a pseudonymised lake, a line each. Without
VALUE, reads standard input and writes it to standard output with every sealed value
in it revealed; CSV and JSON are quoted anew where names need it.

The key is that of privacy in the configuration. Values that do not open with it stay
as they are, and the exit status is 1. Names that are compared without regard to case
come back in lower case. ` + "`--reveal` of `show`, `query` and `diff`" + ` reveals what they print.`,
		Example: "  seatlake reveal seal1aq5...\n  seatlake reveal --format csv < reclaim-plan.csv > plan-with-names.csv",
		RunE: action(func(_ context.Context, values []string) error {
			key, err := a.revealKey()
			if err != nil {
				return err
			}
			if len(values) > 0 {
				var faults []error
				for _, v := range values {
					clear, err := key.Reveal(v)
					if err == nil && !seal.Holds(v) {
						err = fmt.Errorf("%q is not a sealed value", v)
					}
					if err != nil {
						faults = append(faults, err)
						continue
					}
					fmt.Fprintln(a.out, clear)
				}
				return errors.Join(faults...)
			}
			return revealStream(key, a.in, a.out, format)
		}),
	}
	cmd.Flags().StringVar(&format, "format", "", "of standard input: csv, json or text; told by its first character when left out")
	return cmd
}

// revealKey is the key of the configuration, which has to be there.
func (a *app) revealKey() (*seal.Key, error) {
	cfg, err := LoadConfigWithoutSecrets(a.configPath, a.env)
	if err != nil {
		return nil, err
	}
	key, err := cfg.sealKey()
	if err == nil && key == nil {
		return nil, usage("%s sets no privacy.pseudonymise, so that there is no key to reveal with", a.configPath)
	}
	return key, err
}

// revealStream copies a stream and reveals what is sealed in it.
func revealStream(key *seal.Key, in io.Reader, out io.Writer, format string) error {
	r := bufio.NewReaderSize(in, 64<<10)
	w := bufio.NewWriterSize(out, 64<<10)
	if format == "" {
		format = formatOf(r)
	}
	var err error
	switch format {
	case "csv":
		err = revealCSV(key, r, w)
	case "json":
		err = revealJSON(key, r, w)
	case "text":
		err = revealText(key, r, w)
	default:
		return usage("--format %q is not known; it is csv, json or text", format)
	}
	return errors.Join(err, w.Flush())
}

// formatOf tells JSON by its first character; other text is CSV when its first line
// has a comma.
func formatOf(r *bufio.Reader) string {
	head, _ := r.Peek(r.Size()) // a short stream is no error
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")), " \t\r\n")
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(head, []byte("{")) || bytes.HasPrefix(head, []byte("[")):
		return "json"
	case bytes.ContainsRune(line, ','):
		return "csv"
	}
	return "text"
}

func revealCSV(key *seal.Key, in io.Reader, out io.Writer) error {
	r, w := csv.NewReader(in), csv.NewWriter(out)
	r.FieldsPerRecord = -1
	var faults error
	for {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("standard input is not CSV: %w; --format text reveals any text", err)
		}
		for i, c := range row {
			clear, err := key.Reveal(c)
			if faults == nil {
				faults = err
			}
			row[i] = clear
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return errors.Join(w.Error(), faults)
}

// revealJSON reveals in one text after another, as sealed values stand in strings: a
// name is escaped as JSON has it, and all else stays as it is.
func revealJSON(key *seal.Key, in io.Reader, out io.Writer) error {
	return revealLines(in, out, func(line string) (string, error) {
		clear, err := key.RevealWith(line, func(name string) string {
			var quoted bytes.Buffer
			e := json.NewEncoder(&quoted)
			e.SetEscapeHTML(false)
			_ = e.Encode(name) // a string always has JSON
			return strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(quoted.String()), `"`), `"`)
		})
		return clear, err
	})
}

func revealText(key *seal.Key, in io.Reader, out io.Writer) error {
	return revealLines(in, out, key.Reveal)
}

func revealLines(in io.Reader, out io.Writer, reveal func(string) (string, error)) error {
	r := bufio.NewReader(in)
	var faults error
	for {
		line, err := r.ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		clear, fault := reveal(line)
		if faults == nil {
			faults = fault
		}
		if _, werr := io.WriteString(out, clear); werr != nil {
			return werr
		}
		if err != nil {
			return faults
		}
	}
}

// sealKinds are the kinds of names that `seatlake seal` knows.
var sealKinds = map[string]schemas.Personal{
	"sign-in-name": schemas.SignInName, "mail": schemas.Address, "employee-id": schemas.EmployeeNumber,
	"account": schemas.AccountName, "name": schemas.PersonName, "device": schemas.Device, "place": schemas.Place,
}

func (a *app) sealCommand() *cobra.Command {
	var kind string
	kinds := strings.Join(slices.Sorted(maps.Keys(sealKinds)), ", ")
	cmd := &cobra.Command{
		Use:   "seal NAME...",
		Short: "Give the sealed values of names, to look for them in a pseudonymised lake",
		Long: `Prints how a pseudonymised lake holds names, a line each, with the key of privacy in
the configuration.`,
		Example: "  seatlake query \"select * from users where user_principal_name = '$(seatlake seal ada@contoso.com)'\"",
		Args:    cobra.MinimumNArgs(1),
		RunE: action(func(_ context.Context, names []string) error {
			as, ok := sealKinds[kind]
			if !ok {
				return usage("--as %q is not known; it is one of %s", kind, kinds)
			}
			key, err := a.revealKey()
			if err != nil {
				return err
			}
			for _, name := range names {
				fmt.Fprintln(a.out, key.Seal(as, name))
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&kind, "as", "sign-in-name", "the `kind` of name: "+kinds)
	return cmd
}
