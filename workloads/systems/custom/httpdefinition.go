package custom

// HTTP is how clients speak to a node over HTTP.
type HTTP struct {
	Port            string            `json:"port,omitempty" doc:"the name of a port of the servers, or a number; not given: the only port there is"`
	Headers         map[string]string `json:"headers,omitempty" doc:"headers of every request"`
	FollowRedirects bool              `json:"follow-redirects,omitempty" doc:"follow a redirect, to another node too; not given: no, for then it is another node that answers"`
	MaxBody         int               `json:"max-body,omitempty" doc:"the longest answer that is read, in KiB; not given: 1024"`
	Functions       HTTPFunctions     `json:"functions" doc:"what the store can do, and how it is asked"`
}

// HTTPFunctions are the requests of functions; nil: the store has no such function.
type HTTPFunctions struct {
	Read   *HTTPCall `json:"read,omitempty" doc:"register: what ${key} holds"`
	Write  *HTTPCall `json:"write,omitempty" doc:"register: store ${value} at ${key}"`
	CAS    *HTTPCall `json:"cas,omitempty" doc:"register: store ${value} at ${key} if it holds ${expect}"`
	Create *HTTPCall `json:"create,omitempty" doc:"register: store ${value} at ${key} if nothing is there, where that is not the request of cas"`
	Delete *HTTPCall `json:"delete,omitempty" doc:"register: remove ${key}"`

	Add      *HTTPCall `json:"add,omitempty" doc:"set: add ${element} to the set ${key}"`
	Elements *HTTPCall `json:"elements,omitempty" doc:"set: all elements of the set ${key}"`

	Append *HTTPCall `json:"append,omitempty" doc:"append: append ${element} to the list ${key}"`
	List   *HTTPCall `json:"list,omitempty" doc:"append: the whole list ${key}, in order"`

	Acquire *HTTPCall `json:"acquire,omitempty" doc:"lock: acquire the lock ${key} for ${owner}; value is the fencing token, a number that grows, and found the owner who holds it"`
	Release *HTTPCall `json:"release,omitempty" doc:"lock: release the lock ${key} that ${owner} holds with ${token}"`
}

// HTTPCall is how one function is asked, and what its answers mean. What the answer is
// not said to mean is unknown: the operation may have been done, or may be done yet.
type HTTPCall struct {
	Request string            `json:"request" short:"" doc:"method and path: PUT /v1/${key}?if=${expect}; variables are escaped"`
	Headers map[string]string `json:"headers,omitempty" doc:"headers of this request"`
	Body    string            `json:"body,omitempty" doc:"the body, as it is: ${value}"`
	JSON    any               `json:"json,omitempty" doc:"a body in JSON, written as YAML; variables in texts are escaped, and \"${value|number}\" is a number"`
	Form    map[string]string `json:"form,omitempty" doc:"a body of the fields of a form"`

	Done    Matches `json:"done,omitempty" doc:"the answers that mean that it was done; not given: 200, 201 and 204"`
	Absent  Matches `json:"absent,omitempty" doc:"the answers that mean that the key holds nothing, such as 404"`
	Refused Matches `json:"refused,omitempty" doc:"of cas, acquire and release: the answers that mean that it was not done because the key holds something else, or the lock is held, or not so"`
	Fail    Matches `json:"fail,omitempty" doc:"the answers that mean that it was not done and never will be"`

	Value *Place `json:"value,omitempty" doc:"where in the answer the value stands; not given: it is the whole body"`
	Found *Place `json:"found,omitempty" doc:"of cas and acquire: where in an answer that refuses the value or the owner stands that is there; not given: it does not say"`
}

// Place is where in an answer something stands.
type Place struct {
	JSON    string `json:"json,omitempty" short:"" doc:"path in a body that is JSON: items[0].value; . is all of it"`
	Header  string `json:"header,omitempty" doc:"the name of a header"`
	Pattern string `json:"pattern,omitempty" doc:"regular expression; what its first group matches"`
	Base64  bool   `json:"base64,omitempty" doc:"it is in base64"`
	Split   string `json:"split,omitempty" doc:"of elements and list: what stands between two elements, if it is no array of JSON"`
}

// Match is a kind of answer. All that is given must hold.
type Match struct {
	Status Statuses `json:"status,omitempty" short:"" doc:"statuses: 404, or 5xx"`
	JSON   string   `json:"json,omitempty" doc:"path in a body that is JSON"`
	Is     string   `json:"is,omitempty" doc:"what stands there, as a text; null: nothing does"`
	Body   string   `json:"body,omitempty" doc:"regular expression that the body matches"`
}

// Matches are kinds of answers: one of them must hold.
type Matches []Match

// Statuses are statuses of HTTP: 404, or 4xx.
type Statuses []string
