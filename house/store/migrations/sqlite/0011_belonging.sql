-- Which person of the register signs in with the account; the row of the person says so, and this column follows it.
CREATE INDEX account_by_party ON account (party);
