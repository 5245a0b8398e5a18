-- What Tidegate's account may do beyond its own database, run once when the server's
-- volume is new: make and describe databases and their users. Nothing that reads files,
-- sees other people's statements or changes the server. The rights on `mysql` are taken
-- back (partial_revokes), so that nobody can make himself more than he is.
GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES,
  CREATE VIEW, SHOW VIEW, TRIGGER, EXECUTE, CREATE ROUTINE, ALTER ROUTINE, EVENT,
  CREATE TEMPORARY TABLES, LOCK TABLES, CREATE USER
  ON *.* TO 'tidegate'@'%' WITH GRANT OPTION;
REVOKE INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX, REFERENCES, CREATE VIEW, TRIGGER,
  CREATE ROUTINE, ALTER ROUTINE, EVENT, CREATE TEMPORARY TABLES, LOCK TABLES
  ON mysql.* FROM 'tidegate'@'%';
