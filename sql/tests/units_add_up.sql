-- Entitled, available and unreconciled units follow from the others.
select *
from {{ ref('license_positions') }}
where entitled_units <> enabled_units + warning_units
  or available_units <> entitled_units - consumed_units
  or unreconciled_units <> consumed_units - assigned_users
