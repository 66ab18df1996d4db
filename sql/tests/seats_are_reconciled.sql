-- Graph counts other seats than users hold: soft-deleted users, failed group assignments, lag.
{{ config(severity='warn') }}
select tenant_id, sku_id, sku_part_number, consumed_units, assigned_users, unreconciled_units
from {{ ref('license_positions') }}
where unreconciled_units <> 0 and coalesce(applies_to, 'User') <> 'Company'
