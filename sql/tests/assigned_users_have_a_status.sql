-- Every assigned user of a SKU is counted under exactly one status.
select *
from {{ ref('license_positions') }}
where active_users + inactive_users + never_active_users + too_new_users + not_measurable_users <> assigned_users
