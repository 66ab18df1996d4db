-- What is proposed has no veto, and nothing that should have been measured was not; a saving is one.
select *
from {{ ref('license_downgrades') }}
where (verdict in ('proposed', 'needs_confirmation')) <> (blocked_by is null and not_measured is null)
  or (verdict = 'proposed' and needs_confirmation is not null)
  or annual_saving <= 0
