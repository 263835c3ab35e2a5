package mcpverifier

import (
	"context"
	"errors"

	"github.com/modelcontextprotocol/go-sdk/jsonrpc"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"github.com/portcullis-go/portcullis/verifier"
)

// RequireScopes returns a tool that is called with tokens that have every one
// of the scopes. Others are refused as [Require] has it.
//
//	mcp.AddTool(server, tool, mcpverifier.RequireScopes(createOrder, "write:orders"))
func RequireScopes[In, Out any](tool mcp.ToolHandlerFor[In, Out], scopes ...string) mcp.ToolHandlerFor[In, Out] {
	needed := verifier.AllScopes(scopes...)
	return func(ctx context.Context, req *mcp.CallToolRequest, in In) (*mcp.CallToolResult, Out, error) {
		if err := Require(ctx, req, needed); err != nil {
			var none Out
			return nil, none, err
		}
		return tool(ctx, req, in)
	}
}

// Require demands something of the token of a request. A tool, prompt or
// resource calls it before anything else and returns its error. Refusals are:
//
//   - HTTP status 403 (401 for [verifier.Authenticated]) with the challenge of
//     the refusal, which is what clients begin a step-up authorization at;
//   - a JSON-RPC error, where HTTP status and header are no longer open: in
//     batches, and where an event store lets the SDK begin its answer early;
//   - a JSON-RPC error, too, where the request did not come through a [Handler].
func Require(ctx context.Context, req mcp.Request, requirements ...verifier.Requirement) error {
	c := callOf(req)
	if c == nil {
		return &jsonrpc.Error{Code: codeRefused, Message: "no access token was sent"}
	}
	if err := verifier.Meets(ctx, c.token, requirements...); err != nil {
		c.refuse(err)
		return refusal(err)
	}
	return nil
}

// codeRefused is a server error of JSON-RPC that MCP gives no other meaning.
const codeRefused = -32003

// refusal is the JSON-RPC error of a refusal.
func refusal(err error) error {
	var e *verifier.Error
	if !errors.As(err, &e) {
		return &jsonrpc.Error{Code: jsonrpc.CodeInternalError, Message: "the request could not be checked"}
	}
	return &jsonrpc.Error{Code: codeRefused, Message: e.Description}
}
