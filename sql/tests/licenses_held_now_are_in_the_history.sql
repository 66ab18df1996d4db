-- The licences of the newest snapshot are those whose spans have not ended, user by user.
with measured as (
  select c.tenant_id
  from {{ ref('int_coverage') }} as c
  where c.table_name = 'graph_user_licenses' and c.is_measured and c.logical_date = c.newest_run_date
),

open_spans as (
  select tenant_id, user_id, sku_id, assigned_by
  from {{ ref('user_license_history') }}
  where to_date is null
)

select
  coalesce(h.tenant_id, a.tenant_id) as tenant_id,
  coalesce(h.user_id, a.user_id) as user_id,
  coalesce(h.sku_id, a.sku_id) as sku_id,
  h.user_id is not null as is_in_history,
  a.user_id is not null as is_assigned
from open_spans as h
full join {{ ref('license_assignments') }} as a on a.tenant_id = h.tenant_id and a.user_id = h.user_id and a.sku_id = h.sku_id
join measured as m on m.tenant_id = coalesce(h.tenant_id, a.tenant_id)
where h.user_id is null or a.user_id is null or h.assigned_by is distinct from a.assigned_by
