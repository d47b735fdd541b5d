-- tuplecast: who may do what. The last script: it takes everything from PUBLIC that PUBLIC has by default, and gives back what writers need.
SET LOCAL search_path = pg_catalog, pg_temp;
SET LOCAL check_function_bodies = off; -- they call each other

-- Lets a role be a gateway's: it can read the log and the ticks, make ticks and be the lead, see what triggers there are, and nothing else.
CREATE OR REPLACE FUNCTION tuplecast.grant_gateway(gateway name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA tuplecast TO %I', gateway);
    EXECUTE format('GRANT SELECT ON tuplecast.version, tuplecast.triggers, tuplecast.parts TO %I', gateway);
    EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.durable_channels(), tuplecast.begin_anew(), tuplecast.find_lead(), tuplecast.claim_lead(bigint),'
                   ' tuplecast.renew_lead(), tuplecast.resign_lead(), tuplecast.fall_asleep(), tuplecast.wake_up(), tuplecast.last_tick(),'
                   ' tuplecast.make_tick(bigint, text), tuplecast.ticks_after(bigint), tuplecast.find_place(bigint, text),'
                   ' tuplecast.read_events(bigint, bigint, text[], bigint, bigint), tuplecast.retain(interval, bigint), tuplecast.refresh_function(text) TO %I', gateway);
    PERFORM pg_notify('tuplecast', 'triggers'); -- gateways that were refused look again
END
$$;

-- Lets a role put triggers on the tables of which it may change the triggers.
CREATE OR REPLACE FUNCTION tuplecast.grant_installer(installer name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA tuplecast TO %I', installer);
    EXECUTE format('GRANT SELECT ON tuplecast.version, tuplecast.function, tuplecast.triggers, tuplecast.parts TO %I', installer);
    EXECUTE format('GRANT EXECUTE ON FUNCTION tuplecast.put_trigger(text, json, text, text, boolean), tuplecast.drop_trigger(text, text, boolean),'
                   ' tuplecast.get_trigger(text), tuplecast.list_triggers(text, text, text), tuplecast.list_tables(text, text[]),'
                   ' tuplecast.make_function(text, regclass, name, text[], name), tuplecast.seal_functions(), tuplecast.take_turn() TO %I', installer);
END
$$;

-- What runs with its caller's rights gives him none: so everybody may call it, as writers must. What runs with others' rights is for those whom it is granted.
DO $$
DECLARE
    f record;
BEGIN
    FOR f IN SELECT p.oid::regprocedure AS name, p.prosecdef OR p.proname ~ '^(grant_gateway|grant_installer|write_functions?)$' AS is_ours
               FROM pg_proc p WHERE p.pronamespace = 'tuplecast'::regnamespace AND p.proname !~ '^(live|durable)_[0-9]+$' LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f.name);
        IF NOT f.is_ours THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO PUBLIC', f.name);
        END IF;
    END LOOP;
    REVOKE ALL ON ALL TABLES IN SCHEMA tuplecast FROM PUBLIC;
    REVOKE ALL ON ALL SEQUENCES IN SCHEMA tuplecast FROM PUBLIC;
END
$$;
REVOKE ALL ON SCHEMA tuplecast FROM PUBLIC;
GRANT USAGE ON SCHEMA tuplecast TO PUBLIC;
GRANT USAGE ON SEQUENCE tuplecast.serial TO PUBLIC;

-- The functions of the triggers that there are, by the scripts of now.
SELECT tuplecast.write_functions();
