// Changes of our document, and what must be found in each. `now` is today's document and `then` the
// released one, which is loosened first where only then something can be tightened.

const parts = (document) => ({
  document,
  paths: document.paths,
  schemas: document.components.schemas,
  responses: document.components.responses,
  me: document.paths["/api/me"].get,
  list: document.paths["/api/tasks"].get,
  create: document.paths["/api/tasks"].post,
  parameter: (name) => document.paths["/api/tasks"].get.parameters.find((it) => it.name === name),
});

/** Applies a mutant's change to copies of a document: `[then, now]`. */
export function mutated(document, change) {
  const [then, now] = [structuredClone(document), structuredClone(document)];
  change(parts(now), parts(then));
  return [then, now];
}

/** The breaking ones, each with the lines it must lead to. */
export const BREAKING = {
  "an operation is removed": [
    (now) => delete now.paths["/api/tasks/{id}"].delete,
    "DELETE /api/tasks/{id}: removed",
  ],
  "a path is removed": [(now) => delete now.paths["/api/me"], "GET /api/me: removed"],
  "a path's parameter is renamed": [
    ({ paths }) => {
      paths["/api/tasks/{task}"] = replaced(paths["/api/tasks/{id}"], '"id"', '"task"');
      delete paths["/api/tasks/{id}"];
    },
    "/api/tasks/{id}: became /api/tasks/{task}",
  ],
  "an operation id changes": [
    (now) => (now.me.operationId = "whoAmI"),
    'GET /api/me operationId: "getMe" became "whoAmI"',
  ],
  "an operation id is removed": [
    (now) => delete now.me.operationId,
    'GET /api/me operationId: removed "getMe"',
  ],
  "a schema is renamed, and with it a type": [
    ({ document, schemas }) => {
      schemas.Todo = schemas.Task;
      delete schemas.Task;
      document.paths = replaced(document.paths, "schemas/Task", "schemas/Todo");
      schemas.TaskPage = replaced(schemas.TaskPage, "schemas/Task", "schemas/Todo");
      schemas.TodoPage = schemas.TaskPage;
      schemas.TodoPatch = schemas.TaskPatch;
    },
    "components/schemas/Task: removed",
  ],
  "the server's path changes": [
    (now) => (now.document.servers[0].url = "/v2"),
    'servers/0/url: "/" became "/v2"',
  ],

  "authentication is asked for where none was": [
    (now) => (now.paths["/healthz"].get.security = [{ BearerAuth: [] }]),
    'GET /healthz security: [{}] became [{"BearerAuth":[]}]',
  ],
  "authentication is asked for by the whole document": [
    ({ document, paths }) => {
      document.security = [{ BearerAuth: [] }];
      delete paths["/healthz"].get.security;
    },
    'GET /healthz security: [{}] became [{"BearerAuth":[]}]',
  ],
  "authentication is asked for where it was ruled out": [
    (now, then) => {
      then.paths["/healthz"].get.security = [];
      now.paths["/healthz"].get.security = [{ BearerAuth: [] }];
    },
    'GET /healthz security: [{}] became [{"BearerAuth":[]}]',
  ],
  "a scope is asked for": [
    (now) => (now.me.security = [{ BearerAuth: ["admin"] }]),
    'GET /api/me security: [{"BearerAuth":[]}] became [{"BearerAuth":["admin"]}]',
  ],
  "a second credential is asked for": [
    (now) => (now.me.security = [{ BearerAuth: [], ClientKey: [] }]),
    'GET /api/me security: [{"BearerAuth":[]}] became [{"BearerAuth":[],"ClientKey":[]}]',
  ],
  "an alternative credential is removed": [
    (_, then) => then.me.security.push({ ClientKey: [] }),
    'GET /api/me security: [{"BearerAuth":[]},{"ClientKey":[]}] became [{"BearerAuth":[]}]',
  ],
  "the kind of authentication changes": [
    (now) => (now.document.components.securitySchemes.BearerAuth.scheme = "basic"),
    'components/securitySchemes/BearerAuth/scheme: "bearer" became "basic"',
  ],

  "a parameter becomes required": [
    (now) => (now.parameter("q").required = true),
    "GET /api/tasks parameters q required: added true (request)",
  ],
  "a required parameter is added": [
    (now) => now.list.parameters.push({ name: "of", in: "query", required: true, schema: {} }),
    "GET /api/tasks parameters of: added (request)",
  ],
  "a parameter is removed": [
    (now) => now.list.parameters.pop(),
    "GET /api/tasks parameters q: removed (request)",
  ],
  "all operations of a path get a required parameter": [
    ({ paths }) => {
      const of = { name: "of", in: "query", required: true, schema: {} };
      paths["/api/me"].parameters = [of];
    },
    "GET /api/me parameters of: added (request)",
  ],
  "a parameter moves into a header": [
    (now) => (now.parameter("q").in = "header"),
    "GET /api/tasks parameters q: removed (request)",
  ],
  "a parameter is written differently": [
    (now) => (now.parameter("q").explode = false),
    "GET /api/tasks parameters q explode: added false (request)",
  ],
  "a parameter's type changes": [
    (now) => (now.parameter("limit").schema.type = "boolean"),
    'GET /api/tasks parameters limit schema type: "integer" became "boolean" (request)',
  ],
  "a parameter's maximum sinks": [
    (now) => (now.parameter("limit").schema.maximum = 50),
    "GET /api/tasks parameters limit schema maximum: 100 became 50 (request)",
  ],
  "a parameter's default changes": [
    (now) => (now.parameter("limit").schema.default = 50),
    "GET /api/tasks parameters limit schema default: 20 became 50 (request)",
  ],
  "a parameter's pattern changes": [
    (now) => (now.parameter("cursor").schema.pattern = "^[a-z]+$"),
    'GET /api/tasks parameters cursor schema pattern: "^[A-Za-z0-9_-]{21}[AQgw]$" became "^[a-z]+$" (request)',
  ],
  "a parameter allows only some values": [
    (now) => (now.parameter("completed").schema.enum = [true]),
    "GET /api/tasks parameters completed schema enum: added (request)",
  ],
  "a parameter allows fewer values": [
    (now, then) => {
      then.parameter("q").schema.enum = ["milk", "bread"];
      now.parameter("q").schema.enum = ["milk"];
    },
    'GET /api/tasks parameters q schema enum: removed "bread" (request)',
  ],

  "a parameter has another value": [
    (now, then) => {
      then.parameter("q").schema.enum = ["milk", "bread"];
      now.parameter("q").schema.enum = ["milk", "rolls"];
    },
    'GET /api/tasks parameters q schema enum: "bread" became "rolls" (request)',
  ],

  "a body is asked for": [
    (now) => (now.paths["/api/tasks/{id}"].delete.requestBody = now.create.requestBody),
    "DELETE /api/tasks/{id} requestBody: added (request)",
  ],
  "a body becomes required": [
    (_, then) => (then.create.requestBody.required = false),
    "POST /api/tasks requestBody required: false became true (request)",
  ],
  "a body's media type is removed": [
    (now) => delete now.paths["/api/tasks/{id}"].patch.requestBody.content["application/json"],
    "PATCH /api/tasks/{id} requestBody content application/json: removed (request)",
  ],
  "a required member is added to a body": [
    ({ schemas }) => {
      schemas.NewTask.properties.due = { type: "string" };
      schemas.NewTask.required.push("due");
    },
    'components/schemas/NewTask/required: added "due" (request)',
  ],
  "a member with a default becomes required": [
    (now) => now.schemas.NewTask.required.push("completed"),
    'components/schemas/NewTask/required: added "completed" (request)',
  ],
  "a member named like a keyword becomes required": [
    (now) => (now.schemas.TaskPatch.required = ["title"]),
    "components/schemas/TaskPatch/required: added (request)",
  ],
  "a reference gets a rule of its own": [
    (now) => (now.create.requestBody.content["application/json"].schema.minProperties = 2),
    "POST /api/tasks requestBody content application/json schema minProperties: added 2 (request)",
  ],
  "a member is removed from a body": [
    (now) => delete now.schemas.NewTask.properties.completed,
    "components/schemas/NewTask/properties/completed: removed (request)",
  ],
  "a body's members may be null no longer": [
    (_, then) => (then.schemas.TaskPatch.properties.title.type = ["string", "null"]),
    'components/schemas/TaskPatch/properties/title/type: ["string","null"] became "string" (request)',
  ],
  "a body's text must be shorter": [
    (now) => (now.schemas.NewTask.properties.title.maxLength = 100),
    "components/schemas/NewTask/properties/title/maxLength: 200 became 100 (request)",
  ],
  "a body's text must look like something": [
    (_, then) => delete then.schemas.NewTask.properties.title.pattern,
    /^components\/schemas\/NewTask\/properties\/title\/pattern: added .* \(request\)$/,
  ],
  "a body's text gets a format": [
    (now) => (now.schemas.NewTask.properties.title.format = "uri"),
    'components/schemas/NewTask/properties/title/format: added "uri" (request)',
  ],
  "a body may have no other members": [
    (_, then) => delete then.schemas.NewTask.additionalProperties,
    "components/schemas/NewTask/additionalProperties: added false (request)",
  ],
  "a body must have more members": [
    (now) => (now.schemas.TaskPatch.minProperties = 2),
    "components/schemas/TaskPatch/minProperties: 1 became 2 (request)",
  ],

  "a status is removed": [
    (now) => delete now.paths["/api/tasks/{id}"].get.responses["404"],
    "GET /api/tasks/{id} responses 404: removed (response)",
  ],
  "an answer comes as another media type": [
    ({ responses: { TaskNotFound } }) => {
      const problem = TaskNotFound.content["application/problem+json"];
      TaskNotFound.content = { "application/json": problem };
    },
    "components/responses/TaskNotFound/content/application/json: added (response)",
    "components/responses/TaskNotFound/content/application/problem+json: removed (response)",
  ],
  "an answer loses its content": [
    (now) => delete now.me.responses["200"].content,
    "GET /api/me responses 200 content: removed (response)",
  ],
  "a header is removed": [
    (now) => delete now.create.responses["201"].headers.Location,
    "POST /api/tasks responses 201 headers Location: removed (response)",
  ],
  "a header is removed from a shared answer": [
    (now) => delete now.responses.Unauthorized.headers["WWW-Authenticate"],
    "components/responses/Unauthorized/headers/WWW-Authenticate: removed (response)",
  ],
  "a header becomes optional": [
    (now) => (now.create.responses["201"].headers.Location.required = false),
    "POST /api/tasks responses 201 headers Location required: true became false (response)",
  ],
  "a header's type changes": [
    (now) => (now.responses.Unavailable.headers["Retry-After"].schema.type = "string"),
    'components/responses/Unavailable/headers/Retry-After/schema/type: "integer" became "string" (response)',
  ],
  "a header has more values": [
    (now) => delete now.responses.Unavailable.headers["Retry-After"].schema.minimum,
    "components/responses/Unavailable/headers/Retry-After/schema/minimum: removed 0 (response)",
  ],
  "a member is removed from an answer": [
    ({ schemas: { Task } }) => {
      delete Task.properties.revision;
      Task.required = Task.required.filter((name) => name !== "revision");
    },
    "components/schemas/Task/properties/revision: removed (response)",
    'components/schemas/Task/required: removed "revision" (response)',
  ],
  "an optional member is removed from an answer": [
    (now) => delete now.schemas.Problem.properties.traceId,
    "components/schemas/Problem/properties/traceId: removed (response)",
  ],
  "a member of an answer becomes optional": [
    (now) => now.schemas.TaskPage.required.pop(),
    'components/schemas/TaskPage/required: removed "nextCursor" (response)',
  ],
  "a member of an answer may be null": [
    (now) => (now.schemas.Task.properties.title.type = ["string", "null"]),
    'components/schemas/Task/properties/title/type: "string" became ["string","null"] (response)',
  ],
  "a member of an answer may be null by an alternative": [
    ({ schemas: { TaskPage } }) => {
      TaskPage.properties.items = { anyOf: [TaskPage.properties.items, { type: "null" }] };
    },
    "components/schemas/TaskPage/properties/items/anyOf/1: added (response)",
  ],
  "a whole number of an answer may be broken": [
    (now) => (now.schemas.Task.properties.revision.type = "number"),
    'components/schemas/Task/properties/revision/type: "integer" became "number" (response)',
  ],
  "the type in a list of an answer changes": [
    (now) => (now.schemas.Me.properties.roles.items.type = "integer"),
    'components/schemas/Me/properties/roles/items/type: "string" became "integer" (response)',
  ],
  "the format of an answer changes": [
    (now) => (now.schemas.Task.properties.createdAt.format = "date"),
    'components/schemas/Task/properties/createdAt/format: "date-time" became "date" (response)',
  ],
  "the text of an answer may be longer": [
    (now) => delete now.schemas.Task.properties.title.maxLength,
    "components/schemas/Task/properties/title/maxLength: removed 200 (response)",
  ],
  "the pattern of an answer changes": [
    (now) => (now.schemas.Problem.properties.traceId.pattern = "^[0-9a-f-]{36}$"),
    'components/schemas/Problem/properties/traceId/pattern: "^[0-9a-f]{32}$" became "^[0-9a-f-]{36}$" (response)',
  ],
  "an answer gets a value that is not announced as possible": [
    (now) => now.schemas.HealthStatus.enum.push("degraded"),
    'components/schemas/HealthStatus/enum: added "degraded" (response)',
  ],
  "a code is removed": [
    (now) => now.schemas.Problem.properties.code.enum.pop(),
    'components/schemas/Problem/properties/code/enum: removed "user_required" (response)',
  ],
  "codes may be anything": [
    (now) => delete now.schemas.Problem.properties.code.enum,
    "components/schemas/Problem/properties/code/enum: removed (response)",
  ],
  "a code is renamed": [
    (now) => (now.schemas.Problem.properties.code.enum[0] = "authorization_broken"),
    'components/schemas/Problem/properties/code/enum: "authorization_malformed" became "authorization_broken" (response)',
  ],
  "a part of a composed answer is removed": [
    (now) => now.schemas.NotReady.allOf.pop(),
    "components/schemas/Readiness/properties/database: removed (response)",
    "components/schemas/Readiness/properties/keys: removed (response)",
    'components/schemas/Readiness/required: removed "database" (response)',
    'components/schemas/Readiness/required: removed "keys" (response)',
  ],
};

/** Those that no client notices. */
export const HARMLESS = {
  "nothing changes": () => {},
  "a path is added": ({ paths }) => {
    paths["/api/also-me"] = replaced(paths["/api/me"], "getMe", "getMeToo");
  },
  "authentication is asked for no longer": (now) => (now.me.security = [{}]),
  "an alternative credential is added": (now) => now.me.security.push({ ClientKey: [] }),
  "an optional parameter is added": (now) =>
    now.list.parameters.push({ name: "of", in: "query", required: false, schema: {} }),
  "a path's parameters are moved to the path": ({ paths }) => {
    const item = paths["/api/tasks/{id}"];
    item.parameters = item.get.parameters;
    delete item.get.parameters;
  },
  "a parameter becomes optional": (_, then) => (then.parameter("q").required = true),
  "a parameter's number may be broken": (now) => (now.parameter("limit").schema.type = "number"),
  "a parameter's maximum rises": (now) => (now.parameter("limit").schema.maximum = 500),
  "a parameter allows more values": (now, then) => {
    then.parameter("q").schema.enum = ["milk"];
    now.parameter("q").schema.enum = ["milk", "bread"];
  },
  "a parameter allows all values": (_, then) => (then.parameter("q").schema.enum = ["milk"]),
  "parameters are in another order": (now) => now.list.parameters.reverse(),
  "an optional body is added": ({ create, paths }) => {
    paths["/api/tasks/{id}"].delete.requestBody = { ...create.requestBody, required: false };
  },
  "a body's media type is added": ({ create: { requestBody } }) => {
    requestBody.content["application/cbor"] = requestBody.content["application/json"];
  },
  "an optional member is added to a body": ({ schemas }) => {
    schemas.NewTask.properties.due = { type: "string" };
  },
  "a member of a body becomes optional": (now) => (now.schemas.NewTask.required = []),
  "a member of a body may be null": (now) => {
    now.schemas.TaskPatch.properties.title.type = ["string", "null"];
  },
  "a body's text may be longer": (now) => (now.schemas.NewTask.properties.title.maxLength = 500),
  "a body's text may look like anything": (now) => {
    delete now.schemas.NewTask.properties.title.pattern;
  },
  "a status is added": (now) => (now.me.responses["429"] = { description: "Too many." }),
  "a header is added": ({ responses }) => {
    responses.Unavailable.headers["X-Hint"] = { required: true, schema: { type: "string" } };
  },
  "a member is added to an answer": ({ schemas: { Task } }) => {
    Task.properties.due = { type: "string" };
    Task.required.push("due");
  },
  "a member of an answer is null no longer": (now) => {
    now.schemas.TaskPage.properties.nextCursor.type = "string";
  },
  "a member of an answer is always there": (now) => now.schemas.Problem.required.push("traceId"),
  "the text of an answer is shorter": (now) => (now.schemas.Task.properties.title.maxLength = 100),
  "a code is added, which is announced as possible": (now) =>
    now.schemas.Problem.properties.code.enum.push("token_revoked"),
  "required members are in another order": (now) => now.schemas.Task.required.reverse(),
  "a reference is written out": ({ create, schemas }) => {
    create.requestBody.content["application/json"].schema = structuredClone(schemas.NewTask);
  },
  "words, examples and tags change": ({ document, schemas, responses, me }) => {
    document.info.version = "0.2.0";
    document.info.description = "Another.";
    me.summary = "You";
    me.tags = ["Tasks"];
    schemas.Task.description = "Something to do.";
    schemas.Task.examples = [];
    schemas.Task.properties.title.title = "Title";
    responses.Unauthorized.content["application/problem+json"].example = {};
  },
  "something is deprecated": (now) => (now.me.deprecated = true),
  "a link is added": (now) => {
    now.create.responses["201"].links = { task: { operationId: "getTask" } };
  },
  "an extension is added": ({ document, schemas, me }) => {
    document["x-generator"] = { name: "poem" };
    schemas.Task["x-order"] = 1;
    me["x-audience"] = "public";
  },
};

function replaced(value, text, by) {
  return JSON.parse(JSON.stringify(value).replaceAll(text, by));
}
