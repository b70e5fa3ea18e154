// Package sitter stands where Vale expects its parsers of programming languages, which need a C compiler.
// Vale reads only Markdown in this project (tools/prose.ts), so nothing here is ever called.
package sitter

import "context"

type (
	Language    struct{}
	Parser      struct{}
	Tree        struct{}
	Node        struct{}
	Query       struct{}
	QueryCursor struct{}
	Point       struct{ Row, Column uint32 }
	Capture     struct {
		Index uint32
		Node  *Node
	}
	Match struct{ Captures []Capture }
)

func NewParser() *Parser                                          { panic("no parsers") }
func (*Parser) SetLanguage(*Language)                             {}
func (*Parser) ParseCtx(context.Context, *Tree, []byte) (*Tree, error) { return nil, nil }
func (*Tree) RootNode() *Node                                     { return nil }
func (*Node) Content([]byte) string                               { return "" }
func (*Node) StartPoint() Point                                   { return Point{} }
func NewQuery([]byte, *Language) (*Query, error)                  { return nil, nil }
func (*Query) CaptureNameForId(uint32) string                     { return "" }
func NewQueryCursor() *QueryCursor                                { return nil }
func (*QueryCursor) Exec(*Query, *Node)                           {}
func (*QueryCursor) NextMatch() (*Match, bool)                    { return nil, false }
func (*QueryCursor) FilterPredicates(m *Match, _ []byte) *Match   { return m }
