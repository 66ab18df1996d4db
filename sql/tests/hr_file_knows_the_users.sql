-- An HR file that knows fewer than half of the tenant's own licensed people is likely another company's, or names them otherwise.
{{ config(severity='warn') }}
with licensed as (
  select distinct a.tenant_id, a.user_id
  from {{ ref('license_assignments') }} as a
  where not a.is_guest and a.account_enabled
),

tenants as (
  select distinct c.tenant_id
  from {{ ref('int_coverage') }} as c
  join {{ ref('int_coverage') }} as u on u.tenant_id = c.tenant_id and u.run_id = c.run_id and u.table_name = 'graph_users'
  where c.table_name = 'hr_employees' and c.is_measured
)

select l.tenant_id, count(*) as licensed_people, count(e.user_id) as known_people
from licensed as l
join tenants as t on t.tenant_id = l.tenant_id
left join {{ ref('int_employees') }} as e on e.tenant_id = l.tenant_id and e.user_id = l.user_id
group by 1
having count(e.user_id) * 2 < count(*)
