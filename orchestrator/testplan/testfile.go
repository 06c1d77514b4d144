package testplan

import (
	"errors"

	"go.yaml.in/yaml/v4"

	"squall/internal/suggest"
)

// TestFile is a test file as it was read: which settings it holds, and where.
type TestFile struct {
	name    string
	at      map[string]Setting // by option
	profile *yaml.Node         // of the key of that name
	old     []string           // the settings of earlier versions
}

// profileKey names a profile in a test file. It is no option: what it stands
// for goes below every option, wherever in the file it stands.
const profileKey = "profile"

// ReadTestFile reads a YAML test file over the settings in t. Every mistake in
// it is reported at once, as *FileErrors.
func ReadTestFile(path string, t *Test) (*TestFile, error) {
	text, err := ReadText(path, "test file")
	if err != nil {
		return nil, err
	}
	return parseTestFile(path, text, t)
}

func parseTestFile(name string, text []byte, t *Test) (*TestFile, error) {
	root, err := DecodeYAML(name, text)
	if err != nil {
		return nil, err
	}
	if root == nil {
		nothing := FileError{1, 1, "the file sets nothing; `squall run` without a file runs the defaults, and `squall init` writes an example"}
		return nil, &FileErrors{name, []FileError{nothing}}
	}
	if err := refuseCampaign(name, root); err != nil {
		return nil, err
	}
	file, bad := ReadSettings(name, root, t)
	if len(bad) > 0 {
		return nil, file.fail(bad)
	}
	return file, nil
}

// ReadSettings reads a mapping of settings, of which name is the file, over the
// settings in t; nil is an empty mapping. It returns every mistake.
func ReadSettings(name string, root *yaml.Node, t *Test) (*TestFile, []FileError) {
	file := &TestFile{name: name, at: map[string]Setting{}}
	if root == nil || root.Kind == yaml.ScalarNode && root.Tag == "!!null" {
		return file, nil // every default
	}
	if root.Kind != yaml.MappingNode {
		return file, []FileError{*MistakeAt(root, "expected settings as `name: value`, found %s", KindName(root))}
	}
	bad := file.readProfile(root, t)
	for i := 0; i+1 < len(root.Content); i += 2 {
		if key := root.Content[i]; key.Value != profileKey {
			if e := file.setting(key, root.Content[i+1], t); e != nil {
				bad = append(bad, *e)
			}
		}
	}
	return file, append(bad, file.conflicts()...)
}

// conflicts refuses old settings whose parameters the file gives too.
func (f *TestFile) conflicts() []FileError {
	var all []Setting
	for _, name := range append(OptionNames(), f.old...) {
		if s, ok := f.at[name]; ok {
			all = append(all, s)
		}
	}
	err := Conflict(all)
	if field := new(FieldError); errors.As(err, &field) {
		setting := f.at[field.Option]
		return []FileError{*setting.Mistake(err)}
	}
	return nil
}

// readProfile applies the profile that the mapping names, if it does.
func (f *TestFile) readProfile(root *yaml.Node, t *Test) (bad []FileError) {
	for i := 0; i+1 < len(root.Content); i += 2 {
		key, value := root.Content[i], root.Content[i+1]
		switch {
		case key.Value != profileKey:
		case f.profile != nil:
			bad = append(bad, *MistakeAt(key, "%s is set twice; first in line %d", profileKey, f.profile.Line))
		case value.Kind != yaml.ScalarNode || value.Tag == "!!null":
			bad = append(bad, *MistakeAt(value, "%s: expected a name, found %s", profileKey, KindName(value)))
		default:
			f.profile = value
			if err := ApplyProfile(t, value.Value); err != nil {
				bad = append(bad, *MistakeAt(value, "%s: %s", profileKey, err))
			}
		}
	}
	return bad
}

// setting reads one `name: value` of the file.
func (f *TestFile) setting(key, value *yaml.Node, t *Test) *FileError {
	option, ok := FindOption(key.Value)
	if !ok {
		return MistakeAt(key, "unknown setting %s; %s", KindName(key), suggest.Among(key.Value, append(OptionNames(), profileKey)))
	}
	if first, ok := f.at[option.Name]; ok {
		return MistakeAt(key, "%s is set twice; first in line %d", option.Name, first.Node.Line)
	}
	setting, bad := ReadSetting(option, value)
	f.at[option.Name] = setting
	if option.Of != "" {
		f.old = append(f.old, option.Name)
	}
	if bad != nil {
		return bad
	}
	return setting.Apply(t)
}

// Setting is what the file says of an option, if it does.
func (f *TestFile) Setting(option string) (Setting, bool) {
	if f == nil {
		return Setting{}, false
	}
	s, ok := f.at[option]
	return s, ok
}

// Place puts the file, line and column before an error about one setting, if
// the file is where that setting came from.
func (f *TestFile) Place(err error) error {
	var field *FieldError
	if f == nil || !errors.As(err, &field) {
		return err
	}
	for _, name := range Blamed(field) {
		if setting, ok := f.at[name]; ok {
			return f.fail([]FileError{*setting.Mistake(err)})
		}
	}
	return err
}

func (f *TestFile) fail(errs []FileError) error {
	SortMistakes(errs)
	return &FileErrors{File: f.name, Errors: errs}
}

// Override notes that a setting of the file was overridden: mistakes in it are
// no longer the file's.
func (f *TestFile) Override(option string) {
	if f == nil {
		return
	}
	delete(f.at, option)
	for _, o := range olds() {
		switch option {
		case o.of:
			delete(f.at, o.name)
		case o.name:
			delete(f.at, o.of)
		}
	}
}

// Old are the settings of earlier versions that the file holds.
func (f *TestFile) Old() []string {
	if f == nil {
		return nil
	}
	return f.old
}

// Profile is the name of the profile that the file asks for; "" is none.
func (f *TestFile) Profile() string {
	if f == nil || f.profile == nil {
		return ""
	}
	return f.profile.Value
}
