-- Serial and root of the rules that the centre last signed for the agent; the serial only rises.
ALTER TABLE agent ADD COLUMN rules_serial INTEGER NOT NULL DEFAULT 0;
ALTER TABLE agent ADD COLUMN rules_root TEXT NOT NULL DEFAULT '';
