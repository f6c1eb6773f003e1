BEGIN TRANSACTION;
CREATE TABLE "agent_messages" (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            session_id TEXT NOT NULL REFERENCES "agent_sessions" (session_id) ON DELETE CASCADE,
            message_data TEXT NOT NULL,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
        );
INSERT INTO "agent_messages" VALUES(1,'trip','{"role": "user", "content": "Hi"}','2026-11-30 20:06:57');
INSERT INTO "agent_messages" VALUES(2,'trip','{"id": "fc_000000000000000000000002", "type": "function_call", "status": "completed", "name": "weather", "call_id": "call_1", "arguments": "{\"city\": \"Oslo\"}"}','2026-11-30 20:06:57');
INSERT INTO "agent_messages" VALUES(3,'trip','{"type": "function_call_output", "call_id": "call_1", "output": "Sunny in Oslo."}','2026-11-30 20:06:57');
INSERT INTO "agent_messages" VALUES(4,'trip','{"id": "msg_000000000000000000000004", "type": "message", "status": "completed", "role": "assistant", "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "Sunny."}]}','2026-11-30 20:06:57');
CREATE TABLE "agent_sessions" (
            session_id TEXT PRIMARY KEY,
            created_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP,
            updated_at TIMESTAMP DEFAULT CURRENT_TIMESTAMP
        );
INSERT INTO "agent_sessions" VALUES('trip','2026-11-30 20:06:57','2026-11-30 20:06:57');
CREATE INDEX "idx_agent_messages_session_id" ON "agent_messages" (session_id, id)
    ;
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('agent_messages',4);
COMMIT;
PRAGMA user_version = 0;
