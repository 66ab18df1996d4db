package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// checkCommand says whether the program takes a command line: the command is
// there, and its flags and arguments parse.
func checkCommand(t *testing.T, line string, args []string) {
	t.Helper()
	root := (&app{out: &strings.Builder{}, err: &strings.Builder{}, now: time.Now}).root()
	cmd, rest, err := root.Find(args)
	if err != nil || cmd == root {
		t.Errorf("%s: no such command: %v", line, err)
		return
	}
	if err := cmd.ParseFlags(rest); err != nil {
		t.Errorf("%s: %v", line, err)
		return
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		t.Errorf("%s: %v", line, err)
	}
}

func repositoryFile(t *testing.T, path ...string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(append([]string{"..", ".."}, path...)...))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// words splits a command line at spaces outside double quotes.
func words(line string) (out []string) {
	for _, w := range regexp.MustCompile(`"[^"]*"|\S+`).FindAllString(line, -1) {
		out = append(out, strings.Trim(w, `"`))
	}
	return out
}

func TestCommandLinesOfOperations(t *testing.T) {
	text := repositoryFile(t, "docs", "operations.md")
	lines := regexp.MustCompile(`(?m)^ {4,}seatlake (.+)$`).FindAllStringSubmatch(text, -1)
	if len(lines) < 15 {
		t.Fatalf("%d command lines were found", len(lines))
	}
	for _, l := range lines {
		checkCommand(t, l[0], words(l[1]))
	}
	for _, l := range regexp.MustCompile("`seatlake ([^`]+)`").FindAllStringSubmatch(text, -1) {
		checkCommand(t, l[0], words(l[1]))
	}
	flags := map[string]bool{}
	root := (&app{}).root()
	for _, c := range append(root.Commands(), root) {
		for _, m := range regexp.MustCompile(`--([a-z-]+)`).FindAllStringSubmatch(c.UsageString(), -1) {
			flags[m[1]] = true
		}
	}
	for _, l := range regexp.MustCompile("`--([a-z-]+)[^`]*`").FindAllStringSubmatch(text, -1) {
		if !flags[l[1]] {
			t.Errorf("%s is no flag", l[0])
		}
	}
	for _, l := range regexp.MustCompile(`\]\((\.\./[^)]+)\)`).FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(filepath.Join("..", "..", "docs", l[1])); err != nil {
			t.Error(err)
		}
	}
}

// TestCommandLinesOfFeeds checks the commands of the page on feeds.
func TestCommandLinesOfFeeds(t *testing.T) {
	text := repositoryFile(t, "docs", "feeds.md")
	lines := regexp.MustCompile(`(?m)^ {4,}seatlake (.+)$`).FindAllStringSubmatch(text, -1)
	if len(lines) < 4 {
		t.Fatalf("%d command lines were found", len(lines))
	}
	for _, l := range lines {
		checkCommand(t, l[0], words(l[1]))
	}
}

// TestSymptomsOfOperations looks for the words of every symptom in the program's
// own text.
func TestSymptomsOfOperations(t *testing.T) {
	var source strings.Builder
	for _, pattern := range []string{"cmd/seatlake/*.go", "pipeline/*.go", "extract/graph/*.go", "load/lake/*.go", "sql/*.go"} {
		files, err := filepath.Glob(filepath.Join("..", "..", pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if !strings.HasSuffix(file, "_test.go") {
				data, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				source.Write(data)
			}
		}
	}
	text := regexp.MustCompile(`" \+\s+"`).ReplaceAllString(source.String(), "")
	text = strings.NewReplacer("gave up after %d attempts", "gave up after 6 attempts", `has commits but no %s`, "has commits but no lake.json",
		`"AADSTS%d`, "AADSTS", `"telemetry"`, "msg=telemetry").Replace(text)
	_, table, _ := strings.Cut(repositoryFile(t, "docs", "operations.md"), "## Troubleshooting")
	n := 0
	for _, row := range regexp.MustCompile(`(?m)^\| (`+"`[^|]*`"+`) `).FindAllStringSubmatch(table, -1) {
		for _, symptom := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			for _, part := range strings.Split(symptom[1], " ... ") {
				n++
				number, isNumber := strings.CutPrefix(part, "AADSTS")
				if isNumber && regexp.MustCompile(`case [^:]*\b`+number+`\b`).MatchString(text) {
					continue
				}
				if !strings.Contains(text, part) {
					t.Errorf("the program never says %q", part)
				}
			}
		}
	}
	if n < 40 {
		t.Errorf("%d symptoms were found", n)
	}
}

func TestExamples(t *testing.T) {
	t.Run("cron", func(t *testing.T) {
		lines := regexp.MustCompile(`(?m)^[0-9*]\S* \S+ \S+ \S+ \S+ seatlake seatlake (.+)$`).FindAllStringSubmatch(repositoryFile(t, "examples", "cron", "seatlake"), -1)
		if len(lines) != 2 {
			t.Errorf("%d lines", len(lines))
		}
		for _, l := range lines {
			checkCommand(t, l[0], words(l[1]))
		}
	})

	t.Run("systemd", func(t *testing.T) {
		service := repositoryFile(t, "examples", "systemd", "seatlake.service")
		l := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/seatlake (.+)$`).FindStringSubmatch(service)
		if l == nil {
			t.Fatal("no ExecStart")
		}
		checkCommand(t, l[0], words(l[1]))
		for _, unit := range []string{service, repositoryFile(t, "examples", "systemd", "seatlake.timer")} {
			for _, line := range strings.Split(unit, "\n") {
				if line != "" && !regexp.MustCompile(`^(#.*|\[[A-Z][a-z]+\]|[A-Z][A-Za-z]+=.+)$`).MatchString(line) {
					t.Errorf("%q is no line of a unit", line)
				}
			}
		}
	})

	t.Run("Kubernetes", func(t *testing.T) {
		type container struct {
			Name string   `yaml:"name"`
			Args []string `yaml:"args"`
		}
		var job struct {
			Kind string `yaml:"kind"`
			Spec struct {
				Schedule    string `yaml:"schedule"`
				JobTemplate struct {
					Spec struct {
						PodFailurePolicy struct {
							Rules []struct {
								OnExitCodes struct {
									ContainerName string `yaml:"containerName"`
									Values        []int  `yaml:"values"`
								} `yaml:"onExitCodes"`
							} `yaml:"rules"`
						} `yaml:"podFailurePolicy"`
						Template struct {
							Spec struct {
								Containers []container `yaml:"containers"`
							} `yaml:"spec"`
						} `yaml:"template"`
					} `yaml:"spec"`
				} `yaml:"jobTemplate"`
			} `yaml:"spec"`
		}
		if err := yaml.Unmarshal([]byte(repositoryFile(t, "examples", "kubernetes", "cronjob.yaml")), &job); err != nil {
			t.Fatal(err)
		}
		template := job.Spec.JobTemplate.Spec
		if job.Kind != "CronJob" || len(strings.Fields(job.Spec.Schedule)) != 5 || len(template.Template.Spec.Containers) != 1 {
			t.Fatalf("%+v", job)
		}
		c := template.Template.Spec.Containers[0]
		checkCommand(t, "args", c.Args)
		for _, rule := range template.PodFailurePolicy.Rules {
			if rule.OnExitCodes.ContainerName != c.Name || !slices.Equal(rule.OnExitCodes.Values, []int{exitUsage}) {
				t.Errorf("%+v", rule)
			}
		}
	})

	t.Run("container", func(t *testing.T) {
		l := regexp.MustCompile(`(?m)^CMD (\[.+\])$`).FindStringSubmatch(repositoryFile(t, "examples", "container", "Containerfile"))
		if l == nil {
			t.Fatal("no CMD")
		}
		var args []string
		if err := yaml.Unmarshal([]byte(l[1]), &args); err != nil {
			t.Fatal(err)
		}
		checkCommand(t, l[0], args)
	})
}
